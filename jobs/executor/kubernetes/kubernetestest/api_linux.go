package kubernetestest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Object is one of the API's, as much of it as tests look at.
type Object struct {
	Kind     string `json:"kind,omitempty"`
	Metadata struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
		Deleted     *time.Time        `json:"deletionTimestamp,omitempty"`
	} `json:"metadata"`
	Spec   json.RawMessage `json:"spec,omitempty"`
	Status struct {
		Phase       string            `json:"phase,omitempty"`
		Reason      string            `json:"reason,omitempty"`
		Message     string            `json:"message,omitempty"`
		Allocatable map[string]string `json:"allocatable,omitempty"`
		Conditions  []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Reason  string `json:"reason,omitempty"`
			Message string `json:"message,omitempty"`
		} `json:"conditions,omitempty"`
	} `json:"status,omitzero"`
}

// Call asks the API as the cluster's administrator, and returns HTTP's code; 0 is no
// answer. A body that is text is YAML.
func (c *Cluster) Call(method, path string, body, out any) int {
	code, data := c.call(method, path, body)
	if out != nil && code >= 200 && code < 300 {
		if err := json.Unmarshal(data, out); err != nil {
			c.t.Error(err)
		}
	}
	return code
}

// Must is Call for what the API takes.
func (c *Cluster) Must(method, path string, body any) {
	c.t.Helper()
	if code, data := c.call(method, path, body); code < 200 || code > 299 {
		c.t.Fatalf("%s %s: %d %s", method, path, code, data)
	}
}

func (c *Cluster) call(method, path string, body any) (int, []byte) {
	authority, err := os.ReadFile(c.at("certs", "apiserver.crt"))
	if err != nil {
		return 0, nil // it is not made yet
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	media := "application/json"
	var data []byte
	switch text := body.(type) {
	case nil:
	case string:
		media, data = "application/yaml", []byte(text)
	default:
		data, err = json.Marshal(body)
		c.must(err)
	}
	request, err := http.NewRequest(method, c.local("https", portAPI)+path, bytes.NewReader(data))
	c.must(err)
	request.Header.Set("Authorization", "Bearer "+c.tokens[admin])
	request.Header.Set("Content-Type", media)
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer answer.Body.Close()
	data, err = io.ReadAll(answer.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return answer.StatusCode, data
}

// PodsPath is where the pods of the namespace are.
func (c *Cluster) PodsPath() string { return "/api/v1/namespaces/" + c.Namespace + "/pods" }

// Pods lists the pods of the namespace.
func (c *Cluster) Pods() []Object { return c.list(c.PodsPath()) }

// Jobs lists the Jobs of the namespace.
func (c *Cluster) Jobs() []Object {
	return c.list("/apis/batch/v1/namespaces/" + c.Namespace + "/jobs")
}

func (c *Cluster) list(path string) []Object {
	var all struct {
		Items []Object `json:"items"`
	}
	c.Call(http.MethodGet, path, nil, &all)
	return all.Items
}

// Ready reports whether the control plane takes a node for one that answers.
func (c *Cluster) Ready(n int) bool {
	var o Object
	c.Call(http.MethodGet, "/api/v1/nodes/"+node(n), nil, &o)
	for _, condition := range o.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// gpus are those that a node offers.
func (c *Cluster) gpus(n int) string {
	var o Object
	c.Call(http.MethodGet, "/api/v1/nodes/"+node(n), nil, &o)
	return o.Status.Allocatable["nvidia.com/gpu"]
}

// admit makes the namespace, and gives the driver the rights of the role there.
func (c *Cluster) admit() {
	c.t.Helper()
	c.Must(http.MethodPost, "/api/v1/namespaces", map[string]any{"metadata": map[string]any{"name": c.Namespace}})
	if c.o.Role == "" {
		return
	}
	role, err := os.ReadFile(c.o.Role)
	c.must(err)
	rights := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + c.Namespace
	c.Must(http.MethodPost, rights+"/roles", string(role))
	c.Must(http.MethodPost, rights+"/rolebindings", map[string]any{
		"metadata": map[string]any{"name": driver},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sprint-driver"},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": driver}},
	})
}

// describe says how nodes, jobs and pods are.
func (c *Cluster) describe() string {
	var b strings.Builder
	for _, path := range []string{"/api/v1/nodes", "/apis/batch/v1/namespaces/" + c.Namespace + "/jobs", c.PodsPath()} {
		for _, o := range c.list(path) {
			fmt.Fprintf(&b, "%s %s: %s %s %s", path[strings.LastIndex(path, "/")+1:], o.Metadata.Name, o.Status.Phase, o.Status.Reason, o.Status.Message)
			for _, condition := range o.Status.Conditions {
				fmt.Fprintf(&b, " %s=%s (%s %s)", condition.Type, condition.Status, condition.Reason, condition.Message)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
