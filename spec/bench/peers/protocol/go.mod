module postern/peers/protocol

go 1.24
