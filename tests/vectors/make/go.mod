module signet.dev/tests/vectors/make

go 1.26.0
