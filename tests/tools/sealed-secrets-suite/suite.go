//go:build integration

// Package suite names what the integration suite of sealed-secrets is built from, so that go.sum holds
// it. The suite itself is built from the module's own package, unmodified:
//
//	go test -tags integration -c github.com/bitnami-labs/sealed-secrets/integration
package suite

import (
	_ "github.com/bitnami-labs/sealed-secrets/pkg/client/clientset/versioned"
	_ "github.com/bitnami-labs/sealed-secrets/pkg/crypto"
	_ "github.com/onsi/ginkgo/v2"
	_ "github.com/onsi/gomega"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
)
