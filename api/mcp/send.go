package mcp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// content is a fax whose document comes with it.
type content struct {
	To       string `json:"to" jsonschema:"the fax number, for instance +15551230001"`
	Content  string `json:"fileContent,omitempty" jsonschema:"the document, encoded in base64"`
	FileName string `json:"fileName,omitempty" jsonschema:"the name of the document, for instance letter.pdf"`
	FileType string `json:"fileType,omitempty" jsonschema:"pdf or txt; the document itself tells, so it may be left out"`
	Once     string `json:"idempotencyKey,omitempty" jsonschema:"any word: a repeated call with the same word and document sends the fax only once"`
}

// file is a fax whose document may lie on this machine.
type file struct {
	content
	Path string `json:"filePath,omitempty" jsonschema:"path of the document on this machine (preferred)"`
}

// maxFile bounds what is read of this machine. The daemon has a limit of its
// own, usually much lower.
const maxFile = 1 << 30

func (c client) sendContent(ctx context.Context, _ *sdk.CallToolRequest, in content) (*sdk.CallToolResult, any, error) {
	if in.Content == "" {
		return nil, nil, errors.New("fileContent is missing: the document in base64")
	}
	document, err := decode(in.Content)
	if err != nil {
		return nil, nil, err
	}
	return c.send(ctx, in, cmp.Or(in.FileName, "document"), bytes.NewReader(document))
}

func (c client) sendFile(ctx context.Context, r *sdk.CallToolRequest, in file) (*sdk.CallToolResult, any, error) {
	switch {
	case in.Path == "" && in.Content == "":
		return nil, nil, errors.New("the document is missing: give filePath, or fileContent in base64")
	case in.Path == "":
		return c.sendContent(ctx, r, in.content)
	case in.Content != "":
		return nil, nil, errors.New("give either filePath or fileContent")
	}
	st, err := os.Stat(in.Path)
	if err != nil {
		return nil, nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, nil, fmt.Errorf("%s is not a file that can be faxed", in.Path)
	}
	document, err := os.Open(in.Path)
	if err != nil {
		return nil, nil, err
	}
	defer document.Close()
	return c.send(ctx, in.content, cmp.Or(in.FileName, filepath.Base(in.Path)), io.LimitReader(document, maxFile))
}

// send submits a fax. The document is read until this returns.
func (c client) send(ctx context.Context, in content, name string, document io.Reader) (*sdk.CallToolResult, any, error) {
	once := cmp.Or(in.Once, rand.Text())
	body, theirs := io.Pipe()
	form := multipart.NewWriter(theirs)
	read := make(chan struct{})
	go func() { // ends with body
		defer close(read)
		theirs.CloseWithError(fill(form, in.To, name, document))
	}()
	defer func() { body.Close(); <-read }()
	answer, err := c.ask(ctx, http.MethodPost, "/fax", http.Header{
		"Content-Type": {form.FormDataContentType()}, "Idempotency-Key": {once},
	}, body)
	if err != nil {
		return nil, nil, fmt.Errorf("%w\nIf it is not known whether the fax was taken, call send_fax again with idempotencyKey %q: then it is sent only once", err, once)
	}
	f, err := readFax(answer)
	if err != nil {
		return nil, nil, err
	}
	return f.result(fmt.Sprintf("Fax queued. Job ID: %s\nRecipient: %s\nFile: %s\nStatus: %s\n\nget_fax_status with this job ID tells how far it is.",
		f.ID, f.To, name, f.Status)), nil, nil
}

func fill(form *multipart.Writer, to, name string, document io.Reader) error {
	if err := form.WriteField("to", to); err != nil {
		return err
	}
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, document); err != nil {
		return err
	}
	return form.Close()
}

// decode reads base64 as assistants write it: of either alphabet, with or
// without padding and line breaks.
func decode(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "").Replace(text)
	text = strings.TrimRight(text, "=\r\n")
	document, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("fileContent is not base64: %w", err)
	}
	return document, nil
}
