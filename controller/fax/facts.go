package fax

// Facts are what is known of the pages of a fax before they are sent.
type Facts struct {
	Seconds  float64  `json:"seconds"` // on the line, about, at 14400 bit/s with error correction
	Sheets   []Sheet  `json:"sheets"`
	Warnings []string `json:"warnings,omitempty"` // what may not be meant so, for the sender
}

// Sheet is what is known of one page.
type Sheet struct {
	Ink     float64 `json:"ink"`             // share that is black, 0 to 1; text has 0.03 to 0.1
	Seconds float64 `json:"seconds"`         // on the line, about
	Blank   bool    `json:"blank,omitempty"` // nothing to be seen but a few specks
}
