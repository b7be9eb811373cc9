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

// Record is one entry of the audit log.
type Record = store.Record

// Deed is the kind of something that somebody did.
type Deed = store.Deed

// Deeds that the API does by itself.
const (
	SignInFailed    = store.SignInFailed
	EndpointChanged = store.EndpointChanged
	EndpointRotated = store.EndpointRotated
)

// Deeds are all of them.
var Deeds = store.Deeds

// AuditFilter chooses records.
type AuditFilter = store.AuditFilter

// Endpoint is somebody who is told of every fax.
type Endpoint = store.Endpoint

// Event is the kind of a message.
type Event = store.Event

// Events are those that an endpoint may choose from.
var Events = store.Events

// Audit is the log of who did what.
func (c *Controller) Audit() store.Audit { return c.store.Audit() }

// Endpoints are those whom administrators have added to be told of every fax.
func (c *Controller) Endpoints() store.Endpoints { return c.store.Endpoints() }

// Outbox are the messages that others are to be told. Package webhook sends
// them.
func (c *Controller) Outbox() store.Outbox { return c.store.Outbox() }

// Keys are the stored API keys. What they allow is the API's business.
func (c *Controller) Keys() store.Keys { return c.store.Keys() }
