package httpx

import "errors"

var (
	ErrRedirect = errors.New("redirect refused")
	ErrTooLarge = errors.New("response is over the limit")
)
