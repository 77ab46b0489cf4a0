// Command k8snode is etcd, the Kubernetes control plane and the node agents in one program; its
// first argument chooses which to be.
package main

import (
	"context"
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var parts = map[string]func(){
	"etcd":        func() { etcdmain.Main(os.Args) },
	"apiserver":   func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) },
	"controllers": func() { os.Exit(cli.Run(controllers.NewControllerManagerCommand())) },
	"scheduler":   func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) },
	"kubelet":     func() { os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background()))) },
	"proxy":       func() { os.Exit(cli.Run(proxy.NewProxyCommand())) },
}

func main() {
	if len(os.Args) > 1 && parts[os.Args[1]] != nil {
		start := parts[os.Args[1]]
		os.Args = os.Args[1:]
		start()
		return
	}
	fmt.Fprintln(os.Stderr, "usage: k8snode etcd|apiserver|controllers|scheduler|kubelet|proxy [flags]")
	os.Exit(2)
}
