// The port is a literal on purpose; only the address may be given.
package main

import (
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	address := ""
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "identity.txt")
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(address, "8000"), nil))
}
