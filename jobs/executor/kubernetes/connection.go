package kubernetes

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// connection is how a cluster is reached, and as whom.
type connection struct {
	server    *url.URL
	namespace string
	context   string // its name, for messages
	client    *http.Client
	auth      *credentials
}

// connect makes the connection of a context.
func (k *kubeconfig) connect(context string) (*connection, error) {
	if context == "" {
		return nil, errors.New("no context is chosen")
	}
	i := slices.IndexFunc(k.Contexts, func(c namedContext) bool { return c.Name == context })
	if i < 0 {
		return nil, fmt.Errorf("there is no context %q", context)
	}
	chosen := k.Contexts[i].Context
	j := slices.IndexFunc(k.Clusters, func(c namedCluster) bool { return c.Name == chosen.Cluster })
	if j < 0 {
		return nil, fmt.Errorf("context %q: there is no cluster %q", context, chosen.Cluster)
	}
	var as user
	if n := slices.IndexFunc(k.Users, func(u namedUser) bool { return u.Name == chosen.User }); n >= 0 {
		as = k.Users[n].User
	} else if chosen.User != "" {
		return nil, fmt.Errorf("context %q: there is no user %q", context, chosen.User)
	}
	return newConnection(&k.Clusters[j].Cluster, &as, context, chosen.Namespace)
}

// connectInPod is the connection of a pod's own service account.
func connectInPod() (*connection, error) {
	namespace, err := os.ReadFile(filepath.Join(inPod, "namespace"))
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "", "the pod's service account: %w", err)
	}
	address := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return newConnection(
		&cluster{Server: "https://" + address, CAFile: filepath.Join(inPod, "ca.crt")},
		&user{TokenFile: filepath.Join(inPod, "token")}, "the pod's service account", strings.TrimSpace(string(namespace)))
}

func newConnection(at *cluster, as *user, context, namespace string) (*connection, error) {
	server, err := url.Parse(strings.TrimRight(at.Server, "/"))
	if err != nil || server.Host == "" {
		return nil, fmt.Errorf("the cluster's server %q is no address", at.Server)
	}
	auth := &credentials{user: as, server: server}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: at.ServerName, InsecureSkipVerify: at.Insecure, GetClientCertificate: auth.certificate}
	if ca, err := fileOrData(at.CAFile, at.CAData); err != nil {
		return nil, fmt.Errorf("certificate-authority: %w", err)
	} else if ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("certificate-authority: no certificate in it")
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() // the type is documented
	transport.TLSClientConfig, transport.ResponseHeaderTimeout = config, answerTimeout
	// A watch says nothing for minutes: a connection that is dead is found out by asking.
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: answerTimeout, PingTimeout: answerTimeout / 2}
	if at.ProxyURL != "" {
		proxy, err := url.Parse(at.ProxyURL)
		if err != nil {
			return nil, errors.New("proxy-url: not an address") // it may hold a password
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	// Credentials follow no redirect.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &connection{server, cmp.Or(namespace, "default"), context, client, auth}, nil
}

// answerTimeout is how long the API may think before its first byte.
const answerTimeout = 30 * time.Second

// fileOrData is what kubeconfig holds in itself, else what the file holds; nil is neither.
func fileOrData(file, data string) ([]byte, error) {
	if data != "" {
		return base64.StdEncoding.DecodeString(data)
	}
	if file != "" {
		return os.ReadFile(file)
	}
	return nil, nil
}
