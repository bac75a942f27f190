// Package mqtt is the adapter between MQTT and the road: messages of the device
// contract come in as JSON and leave as utterances, messages to devices come
// back and leave as JSON. It must not know what a sentence means.
//
// Adapter serves the broker of the same process. Talk is a device of its own,
// for `hark say`.
package mqtt
