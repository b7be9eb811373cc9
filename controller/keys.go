package controller

import "faxbot/controller/store"

// Key is what is kept of an API key.
type Key = store.Key

// MaxKeyWeight is the largest weight of a key.
const MaxKeyWeight = store.MaxWeight

// Filter chooses jobs for List and Count.
type Filter = store.Filter

// Message is one event that one URL is to be told.
type Message = store.Message

// Outbox are the messages that others are to be told. Package webhook sends
// them.
func (c *Controller) Outbox() store.Outbox { return c.store.Outbox() }

// Keys are the stored API keys. What they allow is the API's business.
func (c *Controller) Keys() store.Keys { return c.store.Keys() }
