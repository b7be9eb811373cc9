package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// What the HTTP libraries of Faxbot's SDKs sent, byte for byte, is answered as
// the SDKs want it: axios 1.21.1 with form-data 4.0.6, and requests 2.34.2. Only
// the key and the id are others.
func TestRecordedSDKs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for sdk, to := range map[string]string{"node": "+15551230201", "python": "+15551230211"} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			recordings, err := filepath.Glob("testdata/sdk/" + sdk + "-*.http")
			if err != nil || len(recordings) == 0 {
				t.Fatal("nothing was recorded")
			}
			id := ""
			for _, name := range recordings {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				request := strings.NewReplacer("X-API-Key: KEY", "X-API-Key: "+key, strings.Repeat("0123456789abcdef", 2), id).Replace(string(text))
				began := time.Now()
				status, job := s.replay(t, request)
				if took := time.Since(began); took > 20*time.Second { // the SDKs wait for 30
					t.Errorf("%s: answered after %s", name, took)
				}
				switch _, step, _ := strings.Cut(filepath.Base(name), "-"); {
				case strings.Contains(step, "plugins"): // asked for on each construction; anything else breaks the SDK
					if status != 404 || job["detail"] != "Not Found" {
						t.Errorf("%s: %d %v", name, status, job)
					}
				case strings.Contains(step, "health"):
					if status != 200 || job["status"] != "ok" {
						t.Errorf("%s: %d %v", name, status, job)
					}
				case strings.Contains(step, "submit"): // exactly 202
					if status != 202 || job["to"] != to || job["status"] != "queued" || job["backend"] != "freeswitch" {
						t.Errorf("%s: %d %v", name, status, job)
					}
					id, _ = job["id"].(string)
					s.until(id, fax.Done)
				case strings.Contains(step, "status"): // exactly 200
					if status != 200 || job["id"] != id || job["status"] != "SUCCESS" || job["pages"] != 1.0 || job["error"] != nil {
						t.Errorf("%s: %d %v", name, status, job)
					}
				default:
					t.Errorf("%s: what is it?", name)
				}
			}
			// Without its key the same is 401.
			text, _ := os.ReadFile(recordings[len(recordings)-1])
			if status, refused := s.replay(t, strings.Replace(string(text), "X-API-Key: KEY\r\n", "", 1)); status != 401 || refused["detail"] != "Invalid or missing API key" {
				t.Errorf("without a key: %d %v", status, refused)
			}
		})
	}
}

// replay sends bytes and reads the reply.
func (s *stand) replay(t *testing.T, request string) (status int, fields map[string]any) {
	t.Helper()
	c := dial(t, s.public)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, fields
}
