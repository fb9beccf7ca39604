package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// plugin is a program of the cluster's landlord that gets credentials. It stands in
// the user's own kubeconfig, which is trusted as kubectl trusts it.
type plugin struct {
	APIVersion string   `yaml:"apiVersion"`
	Command    string   `yaml:"command"`
	Args       []string `yaml:"args"`
	Env        []struct {
		Name  string `yaml:"name"`
		Value string `yaml:"value"`
	} `yaml:"env"`
	InstallHint string `yaml:"installHint"`
}

// credentials prove who asks: by token, or by a certificate in the handshake.
type credentials struct {
	user   *user
	server *url.URL

	mu     sync.Mutex
	issued *issued // by the plugin
}

// issued is what a plugin answered.
type issued struct {
	Token   string    `json:"token"`
	Cert    string    `json:"clientCertificateData"`
	Key     string    `json:"clientKeyData"`
	Expires time.Time `json:"expirationTimestamp"`
}

// early is how long before its end a credential is no longer used.
const early = 30 * time.Second

// sign puts a token into a request, where tokens are used.
func (c *credentials) sign(ctx context.Context, r *http.Request) error {
	token := c.user.Token
	switch {
	case c.user.TokenFile != "":
		data, err := os.ReadFile(c.user.TokenFile) // each time: a pod's is renewed
		if err != nil {
			return err
		}
		token = strings.TrimSpace(string(data))
	case c.user.Exec != nil && token == "":
		i, err := c.current(ctx)
		if err != nil {
			return err
		}
		token = i.Token
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// certificate answers a server that asks who is there; an empty one says nothing.
func (c *credentials) certificate(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	u := c.user
	cert, err := fileOrData(u.CertFile, u.CertData)
	if err != nil {
		return nil, fmt.Errorf("client-certificate: %w", err)
	}
	key, err := fileOrData(u.KeyFile, u.KeyData)
	if err != nil {
		return nil, fmt.Errorf("client-key: %w", err)
	}
	if cert == nil && u.Exec != nil {
		i, err := c.current(info.Context())
		if err != nil {
			return nil, err
		}
		cert, key = []byte(i.Cert), []byte(i.Key)
	}
	if len(cert) == 0 {
		return &tls.Certificate{}, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("client-certificate: %w", err)
	}
	return &pair, nil
}

// forget drops what a plugin issued, once the server did not take it. It reports
// whether there is a plugin that may issue something else.
func (c *credentials) forget() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.issued != nil
	c.issued = nil
	return had
}

// current is what the plugin issued, while it holds.
func (c *credentials) current(ctx context.Context) (*issued, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.issued != nil && (c.issued.Expires.IsZero() || time.Until(c.issued.Expires) > early) {
		return c.issued, nil
	}
	i, err := c.user.Exec.run(ctx, c.server)
	if err != nil {
		return nil, err
	}
	c.issued = i
	return i, nil
}

// run asks the plugin, which may not ask the user.
func (p *plugin) run(ctx context.Context, server *url.URL) (*issued, error) {
	info, err := json.Marshal(map[string]any{
		"apiVersion": p.APIVersion, "kind": "ExecCredential",
		"spec": map[string]any{"interactive": false, "cluster": map[string]string{"server": server.String()}},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Command, p.Args...)
	cmd.Env = append(os.Environ(), "KUBERNETES_EXEC_INFO="+string(info))
	for _, e := range p.Env {
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, time.Second
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) && p.InstallHint != "" {
			return nil, &pluginError{p.Command, err, p.InstallHint}
		}
		return nil, &pluginError{p.Command, err, firstLine(said.String())}
	}
	var answer struct {
		Status *issued `json:"status"`
	}
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || answer.Status == nil {
		// What it printed may be a credential.
		return nil, &pluginError{p.Command, errors.New("its answer is no ExecCredential"), ""}
	}
	return answer.Status, nil
}

// pluginError is a plugin that did not do its work.
type pluginError struct {
	command string
	err     error
	said    string
}

func (e *pluginError) Error() string {
	text := fmt.Sprintf("the credential plugin %s: %v", e.command, e.err)
	if e.said != "" {
		text += ": " + e.said
	}
	return text
}

func (e *pluginError) Unwrap() error { return e.err }

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
