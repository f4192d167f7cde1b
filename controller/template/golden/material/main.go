// Makes values.json, what the cases are rendered with: texts, and keys, certificates and keystores
// for tests only. Run by hand, once: `go run . > ../values.json`; everything is new each time, so the
// vectors must be made anew as well.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"net"
	"net/url"
	"os"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

var values = map[string]string{
	"name":     "alice",
	"empty":    "",
	"a":        "A",
	"dash-key": "dashed",
	"bin":      "\xff\x00\x80abc\xc3\xa9",
	"multi":    "line1\nline2\n",
	"num":      "42",
	"json":     `{"a":"one","list":[1,2.5,"x",null,true],"big":1234567890,"nested":{"x":"y"},"html":"<b>"}`,
	"yaml":     "a: one\nlist:\n- 1\n- 2.5\n- x\noct: 0123\nyes: on\nnested: {x: y}\nbig: 1234567890\ntext: |\n  two\n  lines\n",
}

func main() {
	rsaKey := one(rsa.GenerateKey(rand.Reader, 2048))
	ecKey := one(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ec384 := one(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	ec521 := one(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(err)

	values["rsaKey"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))
	values["rsaPkcs8"] = block("PRIVATE KEY", one(x509.MarshalPKCS8PrivateKey(rsaKey)))
	values["ecKey"] = block("EC PRIVATE KEY", one(x509.MarshalECPrivateKey(ecKey)))
	values["ecPkcs8"] = block("PRIVATE KEY", one(x509.MarshalPKCS8PrivateKey(ec384)))
	values["edKey"] = block("PRIVATE KEY", one(x509.MarshalPKCS8PrivateKey(edKey)))

	root := certificate("root", nil, nil, rsaKey, true, func(c *x509.Certificate) {})
	middle := certificate("middle", root, rsaKey, ecKey, true, func(c *x509.Certificate) {})
	leaf := certificate("leaf", middle, ecKey, ec384, false, func(c *x509.Certificate) {
		c.DNSNames = []string{"example.com", "www.example.com"}
		c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1), net.ParseIP("2001:db8::1"), net.ParseIP("::ffff:1.2.3.4")}
		c.EmailAddresses = []string{"a@example.com"}
		c.URIs = []*url.URL{one(url.Parse("https://example.com/x"))}
	})
	other := certificate("other", nil, nil, edKey, true, func(c *x509.Certificate) {
		c.Subject = pkix.Name{Country: []string{"DE"}, Organization: []string{"A, B", "C"}, OrganizationalUnit: []string{"#u"}, CommonName: " übung "}
	})
	values["root"], values["middle"], values["leaf"], values["other"] = cert(root), cert(middle), cert(leaf), cert(other)
	values["chain"] = cert(middle) + cert(leaf) + cert(root)
	values["ordered"] = cert(leaf) + cert(middle) + cert(root)
	values["disjunct"] = cert(leaf) + cert(other)
	values["mixed"] = "junk before\n" + values["ecKey"] + cert(leaf) + "between\n" + values["rsaKey"] + cert(root)
	values["headers"] = string(pem.EncodeToMemory(&pem.Block{Type: "THING", Headers: map[string]string{"Zeta": "1", "Alpha": "2", "Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("hello there, this is more than a line of text in a PEM block")}))
	values["crlf"] = "-----BEGIN X-----\r\naGVs\r\nbG8=\r\n-----END X-----\r\n"

	cas := []*x509.Certificate{root, middle}
	values["p12"] = string(one(pkcs12.Modern.Encode(ec384, leaf, cas, "")))
	values["p12pass"] = string(one(pkcs12.Modern.Encode(rsaKey, root, nil, "sécret")))
	values["p12pbmac"] = string(one(pkcs12.Modern2026.Encode(edKey, other, nil, "secret")))
	values["p12des"] = string(one(pkcs12.LegacyDES.Encode(ecKey, middle, cas[:1], "secret")))
	values["p12rc2"] = string(one(pkcs12.LegacyRC2.Encode(rsaKey, root, nil, "")))
	values["p12open"] = string(one(pkcs12.Passwordless.Encode(rsaKey, root, nil, "")))
	values["p12disjunct"] = string(one(pkcs12.Modern.Encode(ec384, leaf, []*x509.Certificate{other}, "")))

	jwks(rsaKey, ecKey, ec521, edKey)
	for name, sum := range map[string]func() hash.Hash{"oaep1": sha1.New, "oaep256": sha256.New, "oaep512": sha512.New} {
		values[name] = string(one(rsa.EncryptOAEP(sum(), rand.Reader, &rsaKey.PublicKey, []byte("plain "+name), nil)))
	}

	out := map[string]string{}
	for name, value := range values {
		out[name] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	must(encoder.Encode(out))
}

func jwks(rsaKey *rsa.PrivateKey, ecKey, ec521 *ecdsa.PrivateKey, edKey ed25519.PrivateKey) {
	text := func(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }
	big := func(n *big.Int) string { return text(n.Bytes()) }
	public := map[string]any{"kty": "RSA", "n": big(rsaKey.N), "e": "AQAB", "kid": "k"}
	values["jwkRsaPublic"] = encode(public)
	private := map[string]any{"d": big(rsaKey.D), "p": big(rsaKey.Primes[0]), "q": big(rsaKey.Primes[1])}
	for key, value := range public {
		private[key] = value
	}
	values["jwkRsaPrimes"] = encode(private)
	private["dp"], private["dq"], private["qi"] = big(rsaKey.Precomputed.Dp), big(rsaKey.Precomputed.Dq), big(rsaKey.Precomputed.Qinv)
	values["jwkRsa"] = encode(private)
	for name, key := range map[string]*ecdsa.PrivateKey{"P-256": ecKey, "P-521": ec521} {
		size := (key.Params().BitSize + 7) / 8
		public := map[string]any{"kty": "EC", "crv": name, "x": text(key.X.FillBytes(make([]byte, size))), "y": text(key.Y.FillBytes(make([]byte, size)))}
		values["jwkEcPublic"+name[2:]] = encode(public)
		public["d"] = text(key.D.FillBytes(make([]byte, size)))
		values["jwkEc"+name[2:]] = encode(public)
	}
	okp := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": text(edKey.Public().(ed25519.PublicKey))}
	values["jwkEdPublic"] = encode(okp)
	okp["d"] = text(edKey.Seed())
	values["jwkEd"] = encode(okp)
	values["jwkOct"] = `{"kty":"oct","k":"AAAA"}`
}

func certificate(name string, parent *x509.Certificate, parentKey, key crypto.Signer, authority bool, change func(*x509.Certificate)) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Test"}},
		NotBefore:             time.Now(),
		NotAfter:              time.Now().AddDate(30, 0, 0),
		IsCA:                  authority,
		BasicConstraintsValid: true,
	}
	change(template)
	if parent == nil {
		parent, parentKey = template, key
	}
	der := one(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey))
	return one(x509.ParseCertificate(der))
}

func cert(c *x509.Certificate) string { return block("CERTIFICATE", c.Raw) }

func block(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func encode(what any) string { return string(one(json.Marshal(what))) }

func one[T any](value T, err error) T {
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
