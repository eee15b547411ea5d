package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// splitAddress takes host, host:port, [v6], [v6]:port or a bare v6 address apart. The port is 0 if there is none.
func splitAddress(text string) (host string, port int, err error) {
	if _, err := netip.ParseAddr(text); err == nil && strings.Contains(text, ":") {
		return text, 0, checkHost(text)
	}
	if inner, found := strings.CutPrefix(text, "["); found && strings.HasSuffix(inner, "]") {
		host := strings.TrimSuffix(inner, "]")
		return host, 0, checkHost(host)
	}
	if !strings.Contains(text, ":") {
		return text, 0, checkHost(text)
	}
	if strings.Contains(text, "://") {
		return "", 0, errors.New("is a URL")
	}
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, errors.New("is not a host and a port")
	}
	if port, err = parsePort(portText); err != nil {
		return "", 0, err
	}
	return host, port, checkHost(host)
}

// joinAddress is splitAddress's inverse.
func joinAddress(host string, port int) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// parsePort reads a port that one can dial.
func parsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 || strings.HasPrefix(text, "+") {
		return 0, errors.New("has a port that is not 1 to 65535")
	}
	return port, nil
}

// checkHost refuses what is no host name and no address, and the addresses that nobody can dial. Underscores are no part
// of proper host names, but Docker makes such.
func checkHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		switch {
		case addr.IsUnspecified():
			return errors.New("is an address that means every interface: others cannot dial it")
		case addr.IsMulticast():
			return errors.New("is a multicast address")
		}
		return nil
	}
	if host == "" {
		return errors.New("has no host")
	}
	if len(host) > 253 || strings.HasPrefix(host, "-") || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return errors.New("is not a host name")
	}
	for _, r := range host {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_' {
			return errors.New("is not a host name")
		}
	}
	return nil
}

// parseEndpoints reads etcd's members: a comma list, each with an optional scheme, which is cut off.
func parseEndpoints(raw string) ([]string, error) {
	var endpoints []string
	for part := range strings.SplitSeq(raw, ",") {
		endpoint := strings.TrimSpace(part)
		if endpoint == "" {
			continue
		}
		for _, scheme := range []string{"http://", "https://"} {
			if len(endpoint) >= len(scheme) && strings.EqualFold(endpoint[:len(scheme)], scheme) {
				endpoint = strings.TrimSuffix(endpoint[len(scheme):], "/")
				break
			}
		}
		host, portText, err := net.SplitHostPort(endpoint)
		if err != nil {
			return nil, errors.New("has " + strconv.Quote(strings.TrimSpace(part)) + ", which is not host:port")
		}
		if _, err := parsePort(portText); err != nil {
			return nil, err
		}
		if err := checkHost(host); err != nil {
			return nil, errors.New("has " + strconv.Quote(host) + ", which " + err.Error())
		}
		endpoints = append(endpoints, endpoint)
	}
	if len(endpoints) == 0 {
		return nil, errors.New("is an empty list")
	}
	return endpoints, nil
}

// parseEmbed reads etcd.use.embed, which takes more than a bool.
func parseEmbed(raw string) (string, error) {
	if strings.EqualFold(raw, EmbedDefault) {
		return EmbedDefault, nil
	}
	value, err := strconv.ParseBool(raw)
	if err != nil {
		return "", errNotAllowed
	}
	return strconv.FormatBool(value), nil
}

// checkListen refuses what is no address of one interface with a port.
func checkListen(raw string) error {
	host, port, err := net.SplitHostPort(raw)
	if err != nil {
		return errors.New("is not a host and a port")
	}
	if port != "0" {
		if _, err := parsePort(port); err != nil {
			return err
		}
	}
	return checkHost(host)
}

// place fills what a coordinator listens on and registers.
//
// A port in the address is the registered one. It is listened on too, unless a port was set by hand: then the two
// differ on purpose, as behind a port mapping.
func (c *Coord) place() {
	host, port, err := splitAddress(c.Address)
	if err != nil {
		return // reported with its key
	}
	c.AdvertiseHost = strings.Trim(host, "[]")
	if strings.EqualFold(c.AdvertiseHost, "localhost") {
		c.AdvertiseHost = "localhost"
	}
	if c.IP != "" {
		c.AdvertiseHost = c.IP
	}
	c.ListenPort, c.AdvertisePort = c.Port, c.Port
	if port != 0 {
		c.AdvertisePort = port
		if !c.PortSet {
			c.ListenPort = port
		}
	}
}
