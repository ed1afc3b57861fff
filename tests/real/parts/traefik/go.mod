// What `script/parts traefik` builds: Traefik itself, at the version and the sums of go.sum.
module example.com/traefik

go 1.26.0

require github.com/traefik/traefik/v3 v3.6.12
