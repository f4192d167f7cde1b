module golden/eso

go 1.26

// The versions that external-secrets v2.9.0 pins.
require (
	dario.cat/mergo v1.0.2
	github.com/Masterminds/goutils v1.1.1
	github.com/Masterminds/semver/v3 v3.4.0
	github.com/google/uuid v1.6.0
	github.com/huandu/xstrings v1.5.0
	github.com/lestrrat-go/jwx/v2 v2.1.6
	github.com/mitchellh/copystructure v1.2.0
	github.com/shopspring/decimal v1.4.0
	github.com/spf13/cast v1.10.0
	golang.org/x/crypto v0.53.0
	sigs.k8s.io/yaml v1.6.0
	software.sslmate.com/src/go-pkcs12 v0.7.0
)

require (
	github.com/lestrrat-go/blackmagic v1.0.3 // indirect
	github.com/lestrrat-go/httpcc v1.0.1 // indirect
	github.com/lestrrat-go/httprc v1.0.6 // indirect
	github.com/lestrrat-go/iter v1.0.2 // indirect
	github.com/lestrrat-go/option v1.0.1 // indirect
	github.com/mitchellh/reflectwalk v1.0.2 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
)
