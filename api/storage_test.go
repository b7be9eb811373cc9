package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/document/bucket/buckettest"
	"faxbot/controller/fax"
)

// 202 means that the document is in the bucket; while it cannot be put there,
// nothing is accepted.
func TestDocumentsInABucket(t *testing.T) {
	t.Parallel()
	server := buckettest.RunT(t)
	s := newStand(t, func(c *settings) { c.docs.Bucket = server.Open(t) })
	kept := func(id string) (names []string) {
		for _, name := range server.Files() {
			if name, ok := strings.CutPrefix(name, "test/"+id+"/"); ok {
				names = append(names, name)
			}
		}
		return names
	}
	once := map[string]string{"Idempotency-Key": "once"}
	server.Fail(true)
	refused := s.submit(once, field("to", number), text("Hello\n")).want(503, fax.Unavailable)
	if refused.header.Get("Retry-After") == "" {
		t.Errorf("%v", refused.header)
	}
	server.Fail(false)
	id := s.submit(once, field("to", number), text("Hello\n"), text("World\n")).ok(202).id()
	if names := kept(id); !slices.Contains(names, "1.txt") || !slices.Contains(names, "2.txt") {
		t.Errorf("accepted with %v in the bucket", names)
	}
	s.until(id, fax.Done)
	if names := kept(id); !slices.Equal(names, []string{"1.txt", "2.txt", "fax.tiff"}) {
		t.Errorf("delivered with %v in the bucket", names)
	}
	again := s.post("/fax/"+id+"/resend", "", nil).ok(202).id()
	s.until(again, fax.Done)
	gone := s.submit(nil, field("to", number), text("Secret\n"), field("purge_on_success", "true")).ok(202).id()
	s.until(gone, fax.Done)
	// The bucket's copies go first, then those of the folder.
	page := func() *answer { return s.get("/fax/" + gone + "/pages/1.png") }
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(20 * time.Second); len(kept(gone)) > 0 || page().status == 200; <-look.C {
		if time.Now().After(end) {
			t.Fatalf("delivered and purged, with %v in the bucket, and its page: %d", kept(gone), page().status)
		}
	}
	page().want(404, fax.NotFound)
}
