//go:build unix

package command_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/command"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// A secret is hidden wherever it stands in a line of any length, line by line if
// it has several, and whole if another one is its beginning.
func TestSecretsAreHidden(t *testing.T) {
	const pem = "-----BEGIN KEY-----\nc2VjcmV0LWtleS1saW5l\n-----END KEY-----\n"
	for name, c := range map[string]struct{ script, secret, never string }{
		"several lines":   {`printf '%s' "$A"`, pem, "c2VjcmV0LWtleS1saW5l"},
		"begins with it":  {`echo "$A"`, "abcdef-and-more", "and-more"},
		"end of a buffer": {`for n in 8170 8180 8185 8190 8191 16370 16380; do head -c $n /dev/zero | tr '\0' x; echo "$A"; done`, "s3cret-value", "t-v"},
		"repeated":        {`for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9 0; do printf '%s%s%s%s%s%s%s%s%s%s%s' "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A" "$A"; done; done`, "s3cret-value", "cre"},
	} {
		t.Setenv("TOKEN_A", c.secret)
		t.Setenv("TOKEN_B", "abcdef")
		o := &command.Options{Argv: []string{c.script}, Shell: true, Grace: 10 * time.Second, Secrets: map[string]string{"A": "env:TOKEN_A", "B": "env:TOKEN_B"}}
		for range 4 { // maps have no order
			if r := run(t, o, nil); r.Err != nil || strings.Contains(r.Log, c.never) || !strings.Contains(r.Log, "***") {
				t.Errorf("%s: %v %.300s", name, r.Err, r.Log)
			}
		}
	}
}

// encodings prints a secret as programs do that never print it as it is; each in a line
// of its own that begins with its name.
const encodings = `
import base64, binascii, json, os, sys, time, urllib.parse
t = os.environ["A"]; b = t.encode()
say = lambda name, form: print(name, form, flush=True)
say("base64", base64.b64encode(b).decode())
say("base64url", base64.urlsafe_b64encode(b).decode().rstrip("="))
say("basic", base64.b64encode(b"user:" + b).decode())
say("basic1", base64.b64encode(b"u:" + b + b":x").decode())
say("url", urllib.parse.quote(t, safe=""))
say("query", urllib.parse.urlencode({"k": t}))
say("json", json.dumps({"k": t}))
say("json2", json.dumps({"k": t}).replace("/", "\\/"))
say("hex", binascii.hexlify(b).decode())
say("HEX", binascii.hexlify(b).decode().upper())
say("upper", t.upper())
say("repr", repr(b))
sys.stdout.write("writes "); sys.stdout.flush()
for c in base64.b64encode(b).decode():
    sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.002)
print()
for n in range(8160, 8200, 3):
    print("x" * n + base64.b64encode(b).decode())
say("wrapped", "".join(base64.encodebytes(b * 6).decode()))
print("err", base64.b64encode(b).decode(), file=sys.stderr)
sys.exit(2)
`

// TestEncodedSecretsAreHidden: what a program makes of its secret does not show it either,
// in the log, in the notes or in the error, whatever it is cut into.
func TestEncodedSecretsAreHidden(t *testing.T) {
	secret := `tok/7+x=Q"9\z<k>&'w`
	t.Setenv("TOKEN_A", secret)
	dir := stagetest.WriteFiles(t, map[string]string{"enc.py": encodings})
	o := &command.Options{Argv: []string{"python3", "{files.enc.py}"}, Files: []string{filepath.Join(dir, "enc.py")}, Grace: 10 * time.Second, Secrets: map[string]string{"A": "env:TOKEN_A"}}
	r := run(t, o, nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "***") {
		t.Errorf("the error is %v", r.Err)
	}
	said := r.Log + fmt.Sprint(r.Err, r.Notes)
	for _, form := range []string{secret, strings.ToUpper(secret), "dG9rLzcr", "b2svNyt4", "ay83K3g9", "tok%2F7%2Bx", "tok%2F7", `9\\z`, "746f6b2f37", "746F6B2F37", `Q\"9`} {
		if i := strings.Index(said, form); i >= 0 {
			t.Errorf("%q shows in %q", form, said[max(i-30, 0):i+len(form)])
		}
	}
	for _, name := range []string{"base64", "base64url", "basic", "basic1", "url", "query", "json", "json2", "hex", "HEX", "upper", "repr", "writes", "err"} {
		if !strings.Contains(said, "line=\""+name+" ") {
			t.Errorf("the line %s is gone", name)
		}
	}
}

// TestTinySecret: hiding one would take every letter of it out of the log and tell it by
// the gaps.
func TestTinySecret(t *testing.T) {
	t.Setenv("TOKEN_A", "e")
	o := sh("echo hello there")
	o.Secrets = map[string]string{"A": "env:TOKEN_A"}
	if r := run(t, o, nil); r.Err != nil || !strings.Contains(r.Log, "hello there") || !strings.Contains(r.Log, "too short to be hidden") {
		t.Errorf("%v\n%s", r.Err, r.Log)
	}
}
