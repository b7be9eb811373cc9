package events_test

import (
	"testing"

	"faxbot/controller/fax"
	"faxbot/events"
)

func TestParseHook(t *testing.T) {
	success := events.Fax{Known: true, Success: true, Code: 0, Text: "OK", Pages: 3}
	failed := events.Fax{Known: true, Code: 49, Text: "The call dropped prematurely", Pages: 1}
	silent := events.Fax{Code: fax.NoCode}
	for name, c := range map[string]struct {
		body string
		fax  events.Fax
	}{
		"mod_curl form":     {`job_id=j&fax_status=1&fax_result_text=OK&fax_document_transferred_pages=3&hangup_cause=NORMAL_CLEARING&uuid=`, success},
		"form, failed":      {`job_id=j&fax_status=0&fax_result_code=49&fax_result_text=The%20call%20dropped%20prematurely&fax_document_transferred_pages=1`, failed},
		"form, broken text": {`job_id=j&fax_status=1&fax_document_transferred_pages=3&hangup_cause=NORMAL_CLEARING&x=50%&fax_result_text=OK&y=a;b`, success},
		"form, nothing set": {`job_id=j&fax_status=&fax_result_text=&fax_document_transferred_pages=&hangup_cause=&uuid=`, silent},
		"JSON":              {`{"job_id":"j","fax_status":"1","fax_result_text":"OK","fax_document_transferred_pages":3}`, success},
		"JSON, words":       {`{"job_id":"j","fax_status":"SUCCESS","fax_result_code":"0","fax_result_text":"OK","fax_document_transferred_pages":"3"}`, success},
		"JSON, boolean":     {`{"job_id":"j","fax_status":true,"fax_result_text":"OK","fax_document_transferred_pages":3}`, success},
		"JSON, number":      {`{"job_id":"j","fax_status":0,"fax_result_code":49,"fax_result_text":"The call dropped prematurely","fax_document_transferred_pages":1}`, failed},
		"JSON, nulls":       {`{"job_id":"j","fax_status":null,"fax_document_transferred_pages":null}`, silent},
		"the old snippet":   {`{"job_id":"j","fax_status":"","fax_result_text":"","fax_document_transferred_pages":,"uuid":""}`, silent},
		"hole at the end":   {`{"job_id":"j","fax_status":"","fax_document_transferred_pages":}`, silent},
		// Unreadable is silence about the job, never a verdict.
		"quote inside": {`{"job_id":"j","fax_status":"1","fax_result_text":"say "yes"","uuid":"u"}`, silent},
	} {
		h, err := events.ParseHook([]byte(c.body))
		if err != nil || h.JobID != "j" || h.Fax != c.fax {
			t.Errorf("%s: %+v, %v; want %+v", name, h, err, c.fax)
		}
	}
	for _, body := range []string{"", "{}", "null", `{"job_id":""}`, "fax_status=1", `{"job_id":{}}`} {
		if _, err := events.ParseHook([]byte(body)); fax.ProblemOf(err) != fax.Invalid || err.Error() != "Missing job_id" {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestHookNamesTheAttempt(t *testing.T) {
	h, err := events.ParseHook([]byte(`{"job_id":"j","fax_status":"cancelled","uuid":"u1","hangup_cause":"user_busy"}`))
	if err != nil || h.AttemptID != "u1" || !h.Cancelled || h.Cause != "USER_BUSY" {
		t.Errorf("%+v %v", h, err)
	}
}

func FuzzParseHook(f *testing.F) {
	f.Add([]byte(`{"job_id":"j","fax_status":"","fax_document_transferred_pages":,"uuid":"u"}`))
	f.Add([]byte(`job_id=j&fax_status=1`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := events.ParseHook(b)
		if err == nil && h.JobID == "" {
			t.Fatal("a hook without a job")
		}
	})
}

func TestBusNeverWaits(t *testing.T) {
	var bus events.Bus
	slow, quick := bus.Listen(1), bus.Listen(3)
	for i := range 3 {
		bus.Publish(events.Notice{Attempt: fax.Attempt{Ordinal: i}})
	}
	if n := slow.Missed(); n != 2 {
		t.Errorf("the slow listener missed %d notices", n)
	}
	for i := range 3 {
		if n := <-quick.C; n.Attempt.Ordinal != i {
			t.Errorf("notice %d came as number %d", n.Attempt.Ordinal, i)
		}
	}
	slow.Close()
	slow.Close()
	bus.Publish(events.Notice{})
	<-slow.C
	if _, open := <-slow.C; open {
		t.Error("closed listener still hears")
	}
}
