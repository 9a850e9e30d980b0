// Go's net/http with its default client, a request for each line; see stock.py.
// usage: SSL_CERT_FILE=CA stock-go
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func get(url string) (int, []byte, string, error) {
	reply, err := http.Get(url)
	if err != nil {
		return 0, nil, "-", err
	}
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	connection := reply.Header.Get("X-Repono-Connection")
	if connection == "" {
		connection = "-"
	}
	return reply.StatusCode, content, connection, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		begun := time.Now()
		status, content, connection, err := get(strings.TrimSpace(lines.Text()))
		said := "-"
		if err != nil {
			said = strings.Join(strings.Fields(err.Error()), " ")
		}
		took := time.Since(begun).Milliseconds()
		fmt.Printf("%d\t%d\t%d\t%x\t%s\t%s\n", took, status, len(content), sha256.Sum256(content), connection, said)
	}
}
