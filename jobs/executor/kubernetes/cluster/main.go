// Cluster is etcd, the control plane and the kubelet of one Kubernetes release
// in a single static program, with a stand-in for the device plugin of a GPU
// vendor: what the tests of the kubernetes kind start a cluster from, on a
// machine without root's package sources for it. It is a module of its own, so
// that nothing of Kubernetes enters the requirements of sprint.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(usage())
	}
	// Each part reads os.Args itself, as if it were a program of its own.
	os.Args = os.Args[1:]
	os.Exit(part(os.Args))
}

// part runs the part which args name until it ends; it returns its exit code.
func part(args []string) int {
	var command *cobra.Command
	switch args[0] {
	case "etcd":
		etcdmain.Main(args)
		return 0
	case "kube-apiserver":
		command = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		command = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		command = scheduler.NewSchedulerCommand()
	case "kubelet":
		command = kubelet.NewKubeletCommand(context.Background())
	case "device-plugin":
		return offer(args[1:])
	default:
		return usage()
	}
	return cli.Run(command)
}

func usage() int {
	fmt.Fprintln(os.Stderr, "usage: cluster etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubelet [flags]")
	fmt.Fprintln(os.Stderr, "       cluster device-plugin FOLDER COUNT")
	return 2
}
