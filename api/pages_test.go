package api_test

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/image/tiff"
)

// picture is a page whose pixels are as dark as shade says.
func picture(shade func(pixel int) byte) part {
	page := image.NewGray(image.Rect(0, 0, 1728, 2200))
	for i := range page.Pix {
		page.Pix[i] = shade(i)
	}
	var b bytes.Buffer
	_ = png.Encode(&b, page)
	return part{"file", "page.png", "image/png", b.String()}
}

func white(int) byte   { return 255 }
func black(int) byte   { return 0 }
func noise(i int) byte { return byte(i * i >> 3) }

func TestPagesAsTheyAreChosen(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	a := s.submit(nil, field("to", number), text("One\fTwo\fThree"), picture(white), text("Five"), field("resolution", "superfine"),
		field("pages", "2,4-"), field("darkness", "2"), field("cover", "plain"), field("cover_to", "Dr. Jekyll"),
		field("cover_from", "Mr. Hyde"), field("cover_subject", "Potion"), field("cover_message", "Drink\nme"),
		field("tags", "lab, 1886"), field("tags", "urgent,lab")).ok(202)
	id := a.id()
	for name, want := range map[string]any{
		"resolution": "superfine", "page_range": "2,4-", "darkness": 2.0, "cover": "plain",
		"tags": []any{"lab", "1886", "urgent"}, "purge_on_success": false,
	} {
		if diff := cmp.Diff(want, a.fields[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if a := s.get("/fax/" + id).ok(200); a.fields["state"] == string(fax.Received) && a.fields["seconds"] != nil {
		t.Errorf("before its pages are made: %s", a.body)
	}
	a = s.until(id, fax.Done)
	sheets := a.fields["sheets"].([]any)
	if a.fields["pages"] != 4.0 || len(sheets) != 4 {
		t.Fatalf("pages: %s", a.body)
	}
	total := 0.0
	for i, each := range sheets {
		sheet := each.(map[string]any)
		ink, seconds := sheet["ink"].(float64), sheet["seconds"].(float64)
		total += seconds
		if blank := i == 2; sheet["page"] != float64(i+1) || sheet["blank"] != blank || (ink == 0) != blank || ink > .1 || seconds < 1 {
			t.Errorf("page %d: %v", i+1, sheet)
		}
	}
	if seconds := a.fields["seconds"].(float64); seconds < total || seconds > total+20 {
		t.Errorf("%g seconds in all, %g for the pages", seconds, total)
	}
	if diff := cmp.Diff([]any{"Page 3 is blank."}, a.fields["warnings"]); diff != "" {
		t.Error(diff)
	}
	// The cover is the first page, and a superfine page has four times the
	// lines of a standard one; there is no page behind the chosen ones.
	cover, err := png.Decode(bytes.NewReader(s.get("/fax/" + id + "/pages/1.png").ok(200).body))
	if err != nil || cover.Bounds().Dy() < 4000 {
		t.Errorf("the cover: %v, %v", cover, err)
	}
	s.get("/fax/"+id+"/pages/5.png").want(404, fax.NotFound)

	list := func(query string) int { return len(s.get("/fax?" + query).ok(200).fields["faxes"].([]any)) }
	s.send(number)
	for query, want := range map[string]int{"": 2, "tag=lab": 1, "tag=lab&tag=urgent": 1, "tag=lab&tag=other": 0, "tag=la": 0} {
		if got := list(query); got != want {
			t.Errorf("%q finds %d faxes, want %d", query, got, want)
		}
	}
}

func TestPagesThatTakeMinutes(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.submit(nil, field("to", number), picture(black), picture(noise)).ok(202).id()
	a := s.until(id, fax.Done)
	warnings := a.fields["warnings"].([]any)
	if len(warnings) != 1 || !strings.Contains(warnings[0].(string), "Page 2 takes about") {
		t.Errorf("warnings: %v of %v", warnings, a.fields["sheets"])
	}
	if ink := a.fields["sheets"].([]any)[0].(map[string]any)["ink"].(float64); ink < .9 {
		t.Errorf("a black page has %g of ink", ink)
	}
}

func TestChoicesOfPagesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for _, c := range []struct {
		name, value string
		status      int
		code        fax.Problem
		detail      string
	}{
		{"resolution", "ultra", 422, "invalid_field", "standard, fine or superfine"},
		{"pages", "3-1", 400, fax.Invalid, "1-3,5,8-"},
		{"pages", "x", 400, fax.Invalid, "1-3,5,8-"},
		{"darkness", "4", 422, "invalid_field", "-3 (lightest)"},
		{"darkness", "dark", 422, "invalid_field", "-3 (lightest)"},
		{"cover", "../../etc/passwd", 400, fax.Invalid, "no cover of this name"},
		{"cover", "letterhead", 400, fax.Invalid, "no cover of this name"},
		{"cover_to", "Bob", 400, fax.Invalid, "has no cover"},
		{"cover_message", strings.Repeat("x", 2001), 422, "invalid_field", "2000"},
		{"tags", "two words", 400, fax.Invalid, "at most 20 words"},
		{"tags", strings.Repeat("x", 65), 400, fax.Invalid, "at most 20 words"},
		{"purge_on_success", "perhaps", 422, "invalid_field", "true or false"},
	} {
		a := s.submit(nil, field("to", number), field(c.name, c.value), text("Hello\n"))
		if detail, _ := a.fields["detail"].(string); a.status != c.status || a.fields["code"] != string(c.code) || !strings.Contains(detail, c.detail) {
			t.Errorf("%s %q: %d %s", c.name, c.value, a.status, a.body)
		}
	}
	// What only the converted document can tell.
	id := s.submit(nil, field("to", number), field("pages", "2"), text("Only one page")).ok(202).id()
	if a := s.until(id, fax.Failed); !strings.Contains(a.fields["error"].(string), "There is no page 2") {
		t.Errorf("%s", a.body)
	}
}

func TestFaxesWhileFaxingIsDisabled(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	policy := controller.Policy{
		Gateways: []controller.Gateway{{Name: "carrier", CPS: 10000}}, T38: true, Grace: 5 * time.Second,
		Switches: []controller.Switch{{Address: s.sim.Addr(), Password: "ClueCon"}}, Disabled: true,
	}
	if err := s.ctl.Apply(policy); err != nil {
		t.Fatal(err)
	}
	id := s.send(number)
	a := s.until(id, fax.Held)
	if a.fields["status"] != "disabled" || a.fields["cause"] != "disabled" || a.fields["pages"] != 1.0 {
		t.Errorf("%s", a.body)
	}
	s.get("/fax/" + id + "/pages/1.png").ok(200)
	for query, want := range map[string]int{"status=disabled": 1, "status=queued": 0, "state=held": 1} {
		if got := len(s.get("/fax?" + query).ok(200).fields["faxes"].([]any)); got != want {
			t.Errorf("%q finds %d faxes, want %d", query, got, want)
		}
	}
	s.post("/fax/"+id+"/release", "", nil).ok(200)
	if n := s.dials(); n != 0 {
		t.Errorf("%d calls while faxing is disabled", n)
	}
	policy.Disabled = false
	if err := s.ctl.Apply(policy); err != nil {
		t.Fatal(err)
	}
	if a := s.until(id, fax.Done); a.fields["status"] != "SUCCESS" || a.fields["cause"] == "disabled" {
		t.Errorf("%s", a.body)
	}
}

// The switch fetches the pages of its call from the internal listener, once,
// and they are what the preview shows; the secret in the address is in no log.
func TestSwitchFetchesPages(t *testing.T) {
	t.Parallel()
	type fetch struct {
		path   string
		status int
		header http.Header
		body   []byte
	}
	fetches := make(chan fetch, 10)
	inside := make(chan string, 1) // the internal listener's address
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := <-inside
		inside <- to
		res, err := http.Get("http://" + to + r.URL.Path)
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		fetches <- fetch{r.URL.Path, res.StatusCode, res.Header, body}
		w.WriteHeader(res.StatusCode)
		_, _ = w.Write(body)
	}))
	t.Cleanup(front.Close)
	s := newStand(t, func(c *settings) { c.documentURL = front.URL })
	inside <- s.internal
	id := s.submit(nil, field("to", number), text("One\fTwo\n")).ok(202).id()
	s.until(id, fax.Done)
	f := <-fetches
	if f.status != 200 || f.header.Get("Content-Type") != "image/tiff" || f.header.Get("ETag") == "" ||
		f.header.Get("Content-Length") != strconv.Itoa(len(f.body)) || !strings.HasSuffix(f.path, ".tif") {
		t.Errorf("%s: %d %v", f.path, f.status, f.header)
	}
	if len(fetches) != 0 {
		t.Errorf("it was fetched %d times more", len(fetches))
	}
	page, err := tiff.Decode(bytes.NewReader(f.body))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := png.Decode(bytes.NewReader(s.get("/fax/" + id + "/pages/1.png").ok(200).body))
	if err != nil || shown.Bounds() != page.Bounds() {
		t.Fatalf("%v, %v, %v", page.Bounds(), shown, err)
	}
	for y := range page.Bounds().Dy() {
		for x := range page.Bounds().Dx() {
			a, _, _, _ := page.At(x, y).RGBA()
			b, _, _, _ := shown.At(x, y).RGBA()
			if a != b {
				t.Fatalf("the pixel at %d, %d is transmitted as %d and shown as %d", x, y, a, b)
			}
		}
	}
	// The call is over.
	s.do(request{method: "GET", path: f.path, internal: true}).want(404, fax.NotFound, "Not Found")
	for _, strange := range []string{"/x/y.tif", "/../fax.tif", f.path[len("/_internal/pages"):] + "f"} {
		s.do(request{method: "GET", path: "/_internal/pages" + strange, internal: true}).want(404, fax.NotFound)
	}
	if a := s.get(f.path); a.status != 404 {
		t.Errorf("on the public listener: %d", a.status)
	}
	parts := strings.Split(f.path, "/")
	if secret := strings.TrimSuffix(parts[len(parts)-1], ".tif"); len(secret) != 32 || strings.Contains(s.log.String(), secret) {
		t.Errorf("%q is too short, or in the log", secret)
	}
}
