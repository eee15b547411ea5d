// Package monitoring checks deployments/monitoring: that the rules and the dashboard are what Prometheus and Grafana
// accept, that every series they ask for is exported by running coordinators, and that operators find each alert in the
// documentation. It is a module of its own because Prometheus' module graph is wide and the product wants none of it.
package monitoring
