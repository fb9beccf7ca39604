package access

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// maxPEM bounds a certificate's file, with those that signed it, and a key's.
const maxPEM = 1 << 20

// certificateAge is how long a certificate counts before its files are looked at.
const certificateAge = time.Second

// Certificate is a TLS certificate of two files. It is safe for concurrent use.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	checked time.Time
	seen    [2]fs.FileInfo // as they were when they were read, whether or not they were good
	now     *tls.Certificate
}

// NewCertificate reads a certificate. When its files change while the server lives it is
// read again; one that cannot be used leaves the one before.
func NewCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	return c, c.load()
}

// load reads the files.
func (c *Certificate) load() error {
	c.checked = time.Now()
	for i, file := range []string{c.cert, c.key} {
		c.seen[i], _ = os.Stat(file) // what is not there is told by who reads it
	}
	certPEM, err := plainfile.Read(c.cert, maxPEM)
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	keyPEM, err := plainfile.Read(c.key, maxPEM)
	if err != nil {
		return fmt.Errorf("read the certificate's key: %w", err)
	}
	now, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("use the certificate %s: %w", c.cert, err)
	}
	c.now = &now
	return nil
}

// changed reports whether the files are others than those that were read.
func (c *Certificate) changed() bool {
	for i, file := range []string{c.cert, c.key} {
		now, err := os.Stat(file)
		was := c.seen[i]
		if (err == nil) != (was != nil) || err == nil && (now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime())) {
			return true
		}
	}
	return false
}

// Config is a server's.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if time.Since(c.checked) < certificateAge {
				return c.now, nil
			}
			c.checked = time.Now()
			if c.changed() {
				if err := c.load(); err != nil {
					c.log.Error("the new certificate cannot be used, the one before stays", "error", err)
				} else {
					c.log.Info("a new certificate is used", "file", c.cert)
				}
			}
			return c.now, nil
		},
	}
}
