package simulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"
)

// cache is what mod_http_cache keeps: files that were fetched, by their
// addresses, under names of their own in a folder of its own.
type cache struct {
	mu    sync.Mutex
	dir   string // "" before the first file
	files map[string]string
}

// fetchTimeout bounds a fetch; mod_http_cache's own is 300 s.
const fetchTimeout = 10 * time.Second

// get answers http_get (mod_http_cache.c, http_cache_get): the path of the file,
// or -ERR, whatever is wrong.
func (c *cache) get(ctx context.Context, address, id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if file, known := c.files[address]; known {
		return file
	}
	file, err := c.fetch(ctx, address, id)
	if err != nil {
		return "-ERR\n"
	}
	c.files[address] = file
	return file
}

func (c *cache) fetch(ctx context.Context, address, id string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "http_cache-"); err != nil {
			return "", err
		}
		c.files = map[string]string{}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("User-Agent", "freeswitch-http-cache/1.0")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	if reply.StatusCode >= http.StatusBadRequest { // CURLOPT_FAILONERROR
		return "", errors.New(reply.Status)
	}
	file := filepath.Join(c.dir, id+path.Ext(u.Path))
	to, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, reply.Body)
	return file, errors.Join(err, to.Close())
}

// close deletes the folder.
func (c *cache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}
