package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"go.yaml.in/yaml/v4"
)

// The parts of a kubeconfig file that reach a cluster. Unknown keys are others'.
type (
	kubeconfig struct {
		CurrentContext string         `yaml:"current-context"`
		Clusters       []namedCluster `yaml:"clusters"`
		Users          []namedUser    `yaml:"users"`
		Contexts       []namedContext `yaml:"contexts"`
	}
	namedCluster struct {
		Name    string  `yaml:"name"`
		Cluster cluster `yaml:"cluster"`
	}
	namedUser struct {
		Name string `yaml:"name"`
		User user   `yaml:"user"`
	}
	namedContext struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster   string `yaml:"cluster"`
			User      string `yaml:"user"`
			Namespace string `yaml:"namespace"`
		} `yaml:"context"`
	}
	cluster struct {
		Server     string `yaml:"server"`
		CAFile     string `yaml:"certificate-authority"`
		CAData     string `yaml:"certificate-authority-data"`
		Insecure   bool   `yaml:"insecure-skip-tls-verify"`
		ServerName string `yaml:"tls-server-name"`
		ProxyURL   string `yaml:"proxy-url"`
	}
	user struct {
		Token     string  `yaml:"token"`
		TokenFile string  `yaml:"tokenFile"`
		CertFile  string  `yaml:"client-certificate"`
		CertData  string  `yaml:"client-certificate-data"`
		KeyFile   string  `yaml:"client-key"`
		KeyData   string  `yaml:"client-key-data"`
		Exec      *plugin `yaml:"exec"`
	}
)

// The folder in which a pod finds its service account.
const inPod = "/var/run/secrets/kubernetes.io/serviceaccount"

// connect reads the file, or KUBECONFIG, or the user's own, or what a pod finds in
// itself; context is the file's current one where it is empty.
func connect(file, context string) (*connection, error) {
	files := filepath.SplitList(cmp.Or(file, os.Getenv("KUBECONFIG")))
	if len(files) == 0 {
		if home, err := os.UserHomeDir(); err == nil {
			files = []string{filepath.Join(home, ".kube", "config")}
		}
		if _, err := os.Stat(filepath.Join(inPod, "token")); err == nil && (len(files) == 0 || !exists(files[0])) {
			return connectInPod()
		}
	}
	config, err := readKubeconfig(files)
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "let `kubeconfig` of the executor, or KUBECONFIG, name the file of the cluster", "kubeconfig: %w", err)
	}
	c, err := config.connect(cmp.Or(context, config.CurrentContext))
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "`kubectl config get-contexts` lists what there is; `context` of the executor names one", "kubeconfig %s: %w", strings.Join(files, ", "), err)
	}
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readKubeconfig merges files as kubectl does: the first that names something
// decides. A file of several may be missing. Relative paths of the result are
// resolved, each beside its file.
func readKubeconfig(files []string) (*kubeconfig, error) {
	merged, found := &kubeconfig{}, false
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) && len(files) > 1 {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		one := &kubeconfig{}
		if err := yaml.Unmarshal(data, one); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		one.resolve(filepath.Dir(file))
		merged.CurrentContext = cmp.Or(merged.CurrentContext, one.CurrentContext)
		merged.Clusters = append(merged.Clusters, one.Clusters...)
		merged.Users = append(merged.Users, one.Users...)
		merged.Contexts = append(merged.Contexts, one.Contexts...)
	}
	if !found {
		return nil, fmt.Errorf("none of %s is there", strings.Join(files, ", "))
	}
	return merged, nil
}

// resolve makes relative paths those beside the file.
func (k *kubeconfig) resolve(dir string) {
	beside := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	for i := range k.Clusters {
		beside(&k.Clusters[i].Cluster.CAFile)
	}
	for i := range k.Users {
		u := &k.Users[i].User
		beside(&u.TokenFile)
		beside(&u.CertFile)
		beside(&u.KeyFile)
		if u.Exec != nil && strings.ContainsRune(u.Exec.Command, filepath.Separator) {
			beside(&u.Exec.Command)
		}
	}
}
