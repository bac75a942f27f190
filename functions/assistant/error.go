package assistant

import (
	"errors"
	"fmt"
)

// Code is a stable error code of the device contract. Codes are never renamed.
type Code string

// The codes, with the HTTP status that they map to.
const (
	CodeNotUnderstood       Code = "not_understood"       // 200
	CodeNoSkill             Code = "no_skill"             // 200
	CodeExpired             Code = "expired"              // 200
	CodeYielded             Code = "yielded"              // 200
	CodeBadRequest          Code = "bad_request"          // 400
	CodeUnsupportedVersion  Code = "unsupported_version"  // 400
	CodeUnsupportedLanguage Code = "unsupported_language" // 400
	CodeDenied              Code = "denied"               // 403
	CodeTooLarge            Code = "too_large"            // 413
	CodeRateLimited         Code = "rate_limited"         // 429
	CodeQuotaExceeded       Code = "quota_exceeded"       // 429
	CodeSkillFailed         Code = "skill_failed"         // 502
	CodeBusy                Code = "busy"                 // 503
	CodeTimeout             Code = "timeout"              // 504
)

// Status returns the HTTP status that a code maps to.
func (c Code) Status() int {
	switch c {
	case CodeNotUnderstood, CodeNoSkill, CodeExpired, CodeYielded:
		return 200
	case CodeBadRequest, CodeUnsupportedVersion, CodeUnsupportedLanguage:
		return 400
	case CodeDenied:
		return 403
	case CodeTooLarge:
		return 413
	case CodeRateLimited, CodeQuotaExceeded:
		return 429
	case CodeSkillFailed:
		return 502
	case CodeBusy:
		return 503
	case CodeTimeout:
		return 504
	}
	return 500
}

// Error is a failure that a device is told of: the code is for programs, the
// message for the developer who reads it.
type Error struct {
	Code         Code   `json:"code"`
	Message      string `json:"message"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Errorf returns an Error of the code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError finds the Error in err's chain; what is none of ours becomes
// skill_failed without its text, which is for the log.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeSkillFailed, Message: "internal error"}
}

// The errors of the stores.
var (
	ErrNotFound  = errors.New("not found")
	ErrDuplicate = errors.New("already committed")             // a turn of this id is committed
	ErrConflict  = errors.New("the state was changed since")   // compare-and-swap lost
	ErrGone      = errors.New("the schedule is no longer due") // cancelled or moved since it was claimed
	ErrTooMany   = errors.New("too many schedules")            // more than MaxSchedules of a skill in a home
	ErrStoreAway = errors.New("the store cannot be written")   // try again; nothing was committed, or it will be found as a duplicate
)
