module example.com/hard-coded

go 1.21
