module signet.dev/controller/delivery/vectors/make

go 1.26.0

require (
	github.com/Masterminds/semver/v3 v3.5.0
	github.com/fluxcd/pkg/envsubst v1.7.0
)
