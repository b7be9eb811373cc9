package controller

import (
	"context"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
)

// Recording returns what was said on the connection of a call, as Replay reads
// it; fax.NotFound when the fax has no such call, or it was not recorded. Calls
// of a fax count from 1.
func (c *Controller) Recording(ctx context.Context, id fax.JobID, call int) ([]byte, error) {
	_, calls, err := c.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if call < 1 || call > len(calls) {
		return nil, fax.Errorf(fax.NotFound, "The fax has no call %d: it has had %d", call, len(calls))
	}
	return c.docs.Recording(ctx, id, calls[call-1].ID)
}

// keepRecording keeps what was said on a connection of the call that has ended.
// The call's goroutine waits for it, so that no more than the recorded calls
// are ever in memory.
func (k *call) keepRecording(conn *freeswitch.Call) {
	text := conn.Recording()
	if text == nil {
		return
	}
	k.mu.Lock()
	purged := k.job.Options.PurgeOnSuccess && k.verdict.delivered(k.attempt.Parameters.StartPage, k.job.Pages)
	k.mu.Unlock()
	if purged {
		return // the documents are being deleted
	}
	if err := k.c.docs.KeepRecording(k.c.life, k.job.ID, k.id, text); err != nil && k.c.life.Err() == nil {
		k.log().Warn("the recording of a call could not be kept", "error", err)
	}
}
