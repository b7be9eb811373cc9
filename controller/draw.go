package controller

import (
	"context"
	"fmt"
	"math"
	"time"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// resolutions are the names that a submitter may choose from.
var resolutions = map[string]document.Resolution{
	"standard": document.Standard, "fine": document.Fine, "superfine": document.Superfine, "": document.Fine,
}

// pages makes the pages of a job, always the same ones but for the resolution,
// which is standard when the line asks for it.
func (c *Controller) pages(ctx context.Context, job fax.Job, standard bool) (document.Fax, error) {
	o := job.Options
	wanted := document.Options{Resolution: resolutions[o.Resolution], Pages: o.Pages, Darkness: o.Darkness}
	if standard {
		wanted.Resolution = document.Standard
	}
	if o.Cover.Name != "" {
		wanted.Cover = &document.Cover{
			Template: o.Cover.Template, To: or(o.Cover.To, string(job.To)), From: o.Cover.From,
			Subject: o.Cover.Subject, Message: o.Cover.Message,
			// Of the submission, so that it is the same however often it is made.
			Date: job.CreatedAt.In(time.Local).Format("2 January 2006"), //nolint:gosmopolitan // the sender's clock
		}
	}
	return c.docs.Prepare(ctx, job.ID, wanted)
}

// redraw makes the pages of a prepared job again. They must be as many as they
// were: some may have been delivered.
func (c *Controller) redraw(ctx context.Context, job fax.Job, standard bool) error {
	made, err := c.pages(ctx, job, standard)
	if err != nil {
		return err
	}
	if made.Pages != job.Pages {
		return fmt.Errorf("made again, the fax has %d pages instead of %d", made.Pages, job.Pages)
	}
	return c.store.Describe(ctx, job.ID, factsOf(made))
}

// factsOf is what is worth keeping about pages, rounded to what is known.
func factsOf(made document.Fax) fax.Facts {
	f := fax.Facts{Seconds: math.Round(made.Seconds), Warnings: made.Warnings()}
	for _, s := range made.Sheets {
		f.Sheets = append(f.Sheets, fax.Sheet{Ink: math.Round(1e4*s.Ink) / 1e4, Seconds: math.Round(10*s.Seconds) / 10, Blank: s.Blank})
	}
	return f
}
