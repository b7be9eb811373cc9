package document

import (
	"context"
	"image"
	"time"

	"faxbot/controller/fax"
)

// Page is what Preview encodes, which takes most of its time.
func (f *Folder) Page(ctx context.Context, id fax.JobID, n int) (*image.Paletted, error) {
	return f.page(ctx, id, n)
}

// SetLimits lowers limits, so that tests reach them; 0 leaves one as it is.
func (f *Folder) SetLimits(cpu time.Duration, memory, officeMemory, output int64) {
	if cpu != 0 {
		f.limits.cpu = cpu
	}
	if memory != 0 {
		f.limits.memory = memory
	}
	if officeMemory != 0 {
		f.limits.officeMemory = officeMemory
	}
	if output != 0 {
		f.limits.output = output
	}
}
