// Package docker runs the compose file of deployments/docker in earnest: three pairs on a real engine, of which containers are
// stopped, killed, paused and cut off their network, while a client inside that network goes on calling. `make docker-test`
// builds the images and runs it.
//
// Where no engine answers, or there is no compose tool, the stories are skipped and say so. What is started bears the name of
// a project of its own, one for each checkout, publishes no port, and is removed at the end, or by the next run.
package docker
