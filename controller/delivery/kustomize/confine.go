package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"runtime/debug"
)

// errNoNetwork is what a remote base or a remote file ends in.
var errNoNetwork = errors.New("remote files and bases are not served: put them into the repository")

// memoryLimit is where the garbage collector starts to work hard; the controller's limit on the process is the hard one.
const memoryLimit = 512 << 20

// confine takes from this process what kustomize's loaders would reach for: HTTP (files and bases given as URLs), `git`
// and other programs on the PATH (bases given as repositories, helm, exec plugins), and the disk (a temporary directory
// to clone into).
func confine() {
	refuse := refusing{}
	http.DefaultTransport = refuse
	http.DefaultClient = &http.Client{Transport: refuse}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: refuse.dial}
	os.Clearenv()
	for name, value := range map[string]string{"PATH": "", "TMPDIR": "/nonexistent", "HOME": "/nonexistent"} {
		if err := os.Setenv(name, value); err != nil {
			// Without an empty PATH this process must not run.
			panic(err)
		}
	}
	debug.SetMemoryLimit(memoryLimit)
}
