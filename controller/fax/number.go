package fax

import "strings"

// Number is a telephone number as it is dialled: an optional plus sign and 6
// to 20 ASCII digits. Values come from ParseNumber only, so a Number can be
// written into a dial string without further care.
type Number string

const (
	minDigits = 6
	maxDigits = 20
)

// ParseNumber drops the separators that people write (spaces, dots, dashes,
// parentheses) and accepts what remains if it is a Number. Digits of other
// scripts are refused: a dial plan would not match them.
func ParseNumber(s string) (Number, error) {
	var b strings.Builder
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
			b.WriteByte(c)
		case c == '+' && b.Len() == 0:
			b.WriteByte(c)
		case c == ' ' || c == '.' || c == '-' || c == '(' || c == ')':
		default:
			return "", Errorf(BadNumber, "Invalid phone number: use an optional + and %d to %d digits", minDigits, maxDigits)
		}
		if digits > maxDigits {
			break
		}
	}
	if digits < minDigits || digits > maxDigits {
		return "", Errorf(BadNumber, "Invalid phone number: use an optional + and %d to %d digits", minDigits, maxDigits)
	}
	return Number(b.String()), nil
}

// Masked shows the last four digits only, for logs and administrators' lists.
func (n Number) Masked() string {
	if len(n) <= 4 {
		return "****"
	}
	return strings.Repeat("*", len(n)-4) + string(n[len(n)-4:])
}
