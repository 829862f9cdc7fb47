module postern/peers/minio

go 1.24.0

require (
	github.com/minio/pkg/v3 v3.1.3
	postern/peers/protocol v0.0.0
)

require (
	github.com/goccy/go-json v0.10.5 // indirect
	github.com/minio/minio-go/v7 v7.0.88 // indirect
)

replace postern/peers/protocol => ../protocol
