// Package openssh is how OpenSSH's client is called: nothing is asked for, and the
// connections to a host are shared by all that this process runs there.
package openssh

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Arguments are those of ssh before its destination: config is a configuration file in
// the place of the user's own, or empty, and control the folder of the sockets of
// connections that are shared. There may be no terminal, so a password or a host key that
// is not known is an error; keep-alives tell of a host that is gone within half a minute.
func Arguments(config, control string) []string {
	args := []string{
		"-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
		"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4", "-o", "LogLevel=ERROR",
		"-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", "ControlPath=" + filepath.Join(control, "%C"),
	}
	if config != "" {
		args = append(args, "-F", config)
	}
	return args
}

// endTime is how long one connection may take to end.
const endTime = 5 * time.Second

// EndConnections ends the connections whose sockets stand in the folder control, and
// removes it. What runs on the hosts goes on. The environment is that of ssh; nil is this
// process's own.
func EndConnections(control string, environ []string) error {
	sockets, err := os.ReadDir(control)
	if err != nil {
		return err
	}
	for _, s := range sockets {
		end(filepath.Join(control, s.Name()), environ)
	}
	return os.RemoveAll(control)
}

// end asks the process behind a socket to end. A connection that has ended by itself
// leaves a socket that nobody answers, so a failure says nothing. ssh wants the name of a
// host and reads no configuration for it: a user's own may name another socket.
func end(socket string, environ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	// A shell finds ssh by the PATH of environ.
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `exec ssh -F none -o ControlPath="$0" -O exit shared`, socket)
	cmd.Env = environ
	_ = cmd.Run()
}
