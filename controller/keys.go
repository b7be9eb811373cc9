package controller

import "faxbot/controller/store"

// Key is what is kept of an API key.
type Key = store.Key

// Filter chooses jobs for List and Count.
type Filter = store.Filter

// Keys are the stored API keys. What they allow is the API's business.
func (c *Controller) Keys() store.Keys { return c.store.Keys() }
