package money

import (
	"fmt"
	"strings"
)

// Price is an amount of a currency, as a config writes it: 1.80, 1.80 USD. The zero value
// is none.
type Price struct {
	Amount   Amount
	Currency string // three capital letters
}

// UnmarshalText reads it. An amount without a currency is of DefaultCurrency; one of
// nothing is refused, since none is written by leaving it out.
func (p *Price) UnmarshalText(text []byte) error {
	words := strings.Fields(string(text))
	if len(words) == 0 || len(words) > 2 {
		return fmt.Errorf("want a price such as 1.80 or 1.80 USD, not %q", text)
	}
	amount, err := ParseAmount(words[0])
	if err != nil {
		return fmt.Errorf("%w; write a price as 1.80 or 1.80 USD", err)
	}
	if amount == 0 {
		return fmt.Errorf("%q is nothing; leave it out, or write what is paid", text)
	}
	currency := DefaultCurrency
	if len(words) == 2 {
		if currency, err = parseCurrency(words[1]); err != nil {
			return err
		}
	}
	*p = Price{amount, currency}
	return nil
}

// parseCurrency reads a code of ISO 4217, without a list of them: countries change theirs.
func parseCurrency(word string) (string, error) {
	if len(word) == 3 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return word, nil
	}
	code := map[string]string{"$": "USD", "€": "EUR", "£": "GBP", "EURO": "EUR", "EUROS": "EUR", "DOLLAR": "USD", "DOLLARS": "USD"}[strings.ToUpper(word)]
	if upper := strings.ToUpper(word); len(word) == 3 && strings.Trim(upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		code = upper
	}
	if code != "" {
		return "", fmt.Errorf("%q is no currency: did you mean %q?", word, code)
	}
	return "", fmt.Errorf("%q is no currency: want three letters such as USD", word)
}

// MarshalText writes it; nothing of none.
func (p Price) MarshalText() ([]byte, error) {
	if p == (Price{}) {
		return nil, nil
	}
	return []byte(p.Amount.String() + " " + p.Currency), nil
}

// String writes it for people.
func (p Price) String() string { return p.Amount.Show() + " " + p.Currency }
