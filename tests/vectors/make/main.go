// Command make writes the sealing vectors: throw-away keys made here, items sealed with them by the
// real kubeseal, and what each item holds. It is run by hand, when a new case is wanted:
//
//	go run . -kubeseal PATH_OF_THE_REAL_KUBESEAL -out ..
//
// Sealing is randomised, so every run writes other bytes; the vectors in the tree are one such run.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"log"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// key is a throw-away key pair in the encodings that a key Secret may hold.
type key struct {
	Bits        int    `json:"bits"`
	Certificate string `json:"certificate"`
	PKCS1       string `json:"pkcs1"`
	PKCS8       string `json:"pkcs8"`
}

// vector is one sealed item. A long plaintext is its pattern and the number of its bytes, and the
// item of such a one is in a file of its own, not in base64.
type vector struct {
	Name      string `json:"name"`
	Key       int    `json:"key"`
	Scope     string `json:"scope"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	Label     string `json:"label"`
	Plaintext string `json:"plaintextBase64"`
	Length    int    `json:"plaintextLength"`
	Item      string `json:"item,omitempty"`
	ItemFile  string `json:"itemFile,omitempty"`
}

// vectors is the whole file.
type vectors struct {
	MadeBy  string   `json:"madeBy"`
	Keys    []key    `json:"keys"`
	Vectors []vector `json:"vectors"`
}

// plaintext is a pattern that is repeated up to length bytes.
type plaintext struct {
	name    string
	pattern []byte
	length  int
}

const (
	namespace = "shop"
	secret    = "db-creds"
	oneMiB    = 1 << 20
)

var labels = map[string]string{
	"strict":         namespace + "/" + secret,
	"namespace-wide": namespace,
	"cluster-wide":   "",
}

func main() {
	kubeseal := flag.String("kubeseal", "", "the real kubeseal")
	out := flag.String("out", "", "the directory to write sealing.json and the long items to")
	flag.Parse()
	version, err := exec.Command(*kubeseal, "--version").Output()
	check(err)
	all := vectors{MadeBy: string(bytes.TrimSpace(version))}
	for index, bits := range []int{2048, 4096} {
		made := newKey(bits)
		all.Keys = append(all.Keys, made)
		for _, scope := range []string{"strict", "namespace-wide", "cluster-wide"} {
			for _, plain := range plaintexts(scope, bits) {
				v := seal(*kubeseal, made, scope, plain)
				v.Key = index
				if plain.length == oneMiB {
					v.ItemFile = v.Name + ".bin"
					raw, err := base64.StdEncoding.DecodeString(v.Item)
					check(err)
					check(os.WriteFile(filepath.Join(*out, v.ItemFile), raw, 0o644))
					v.Item = ""
				}
				all.Vectors = append(all.Vectors, v)
			}
		}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	check(err)
	check(os.WriteFile(filepath.Join(*out, "sealing.json"), append(text, '\n'), 0o644))
}

// plaintexts are the values to seal. A value of 1 MiB once for each scope and twice for the larger
// key is enough: its length meets only the symmetric half, which knows neither scope nor key size.
func plaintexts(scope string, bits int) []plaintext {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	all := []plaintext{
		{"empty", nil, 0},
		{"one-byte", []byte("x"), 1},
		{"binary", binary, len(binary)},
	}
	if (scope == "namespace-wide") == (bits == 2048) {
		all = append(all, plaintext{"one-mebibyte", binary[:251], oneMiB})
	}
	return all
}

func newKey(bits int) key {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	check(err)
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	check(err)
	template := x509.Certificate{
		SerialNumber:          serial,
		KeyUsage:              x509.KeyUsageEncipherOnly,
		NotBefore:             time.Now(),
		NotAfter:              time.Now().AddDate(100, 0, 0),
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	check(err)
	return key{
		Bits:        bits,
		Certificate: block("CERTIFICATE", certificate),
		PKCS1:       block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)),
		PKCS8:       block("PRIVATE KEY", pkcs8),
	}
}

// seal runs the real kubeseal on a Secret with one value and takes the sealed item from its answer.
func seal(kubeseal string, with key, scope string, plain plaintext) vector {
	value := make([]byte, plain.length)
	for i := range value {
		value[i] = plain.pattern[i%len(plain.pattern)]
	}
	input, err := json.Marshal(map[string]any{
		"apiVersion": "v1",
		"kind":       "Secret",
		"metadata":   map[string]any{"name": secret, "namespace": namespace},
		"data":       map[string]any{"value": value},
	})
	check(err)
	certificate := filepath.Join(os.TempDir(), fmt.Sprintf("certificate-%d.pem", os.Getpid()))
	check(os.WriteFile(certificate, []byte(with.Certificate), 0o600))
	defer os.Remove(certificate)
	command := exec.Command(kubeseal, "--cert", certificate, "--scope", scope)
	command.Stdin = bytes.NewReader(input)
	command.Stderr = os.Stderr
	output, err := command.Output()
	check(err)
	var sealed struct {
		Spec struct {
			EncryptedData map[string]string `json:"encryptedData"`
		} `json:"spec"`
	}
	check(json.Unmarshal(output, &sealed))
	return vector{
		Name:      fmt.Sprintf("%s-%d-%s", scope, with.Bits, plain.name),
		Scope:     scope,
		Namespace: namespace,
		Secret:    secret,
		Label:     labels[scope],
		Plaintext: base64.StdEncoding.EncodeToString(plain.pattern),
		Length:    plain.length,
		Item:      sealed.Spec.EncryptedData["value"],
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
