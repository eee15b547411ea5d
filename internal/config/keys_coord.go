package config

import (
	"math"
	"strings"
	"time"
)

// coordSpecs are the keys that each coordinator has. All have the same shape.
func coordSpecs(section string, port int, coord func(*Config) *Coord) []*spec {
	size := func(name string, def int, doc string, field func(*Coord) *int) *spec {
		return number(section+".grpc."+name, def, 1, math.MaxInt32, doc, func(c *Config) *int { return field(coord(c)) }).
			withLegacy("grpc." + name)
	}
	return []*spec{
		boolean(section+".activeStandby.enabled", "false",
			"Run as one of an active-standby pair: one serves, the others wait to take over.",
			func(c *Config) *bool { return &coord(c).ActiveStandby }).
			withAlso(section + ".enableActiveStandby"),
		address(section+".address", "localhost",
			"What others dial, as host or host:port. localhost stands for this host's own address; a port here is also listened "+
				"on unless the port key is set.",
			func(c *Config) *string { return &coord(c).Address }),
		ip(section+".ip", "Host or address that is registered in place of the one in the address key.",
			func(c *Config) *string { return &coord(c).IP }),
		portNumber(section+".port", port, "Port to listen on for gRPC.", func(c *Config) *int { return &coord(c).Port }),
		size("serverMaxSendSize", 512<<20, "Largest message, in bytes, that the server sends.",
			func(c *Coord) *int { return &c.ServerMaxSendSize }),
		size("serverMaxRecvSize", 256<<20, "Largest message, in bytes, that the server takes.",
			func(c *Coord) *int { return &c.ServerMaxRecvSize }),
		size("clientMaxSendSize", 256<<20, "Largest message, in bytes, that a client of this coordinator sends.",
			func(c *Coord) *int { return &c.ClientMaxSendSize }).withoutEffect(),
		size("clientMaxRecvSize", 512<<20, "Largest message, in bytes, that a client of this coordinator takes.",
			func(c *Coord) *int { return &c.ClientMaxRecvSize }).withoutEffect(),
		seconds(section+".gracefulStopTimeout", "5", 0, "Seconds for draining when told to stop; then the lease is revoked all the same.",
			func(c *Config) *time.Duration { return &coord(c).GracefulStopTimeout }),
	}
}

// minGeneralCapacity is the floor that Milvus puts under rootCoord.maxGeneralCapacity.
const minGeneralCapacity = 512

func rootSpecs() []*spec {
	capacity := number("rootCoord.maxGeneralCapacity", 65536, 0, math.MaxInt32,
		"Most partitions times shards, summed over all collections; less than 512 counts as 512.",
		func(c *Config) *int { return &c.Limits.MaxGeneralCapacity })
	set := capacity.set
	capacity.set = func(c *Config, raw string) (string, error) {
		canonical, err := set(c, raw)
		c.Limits.MaxGeneralCapacity = max(c.Limits.MaxGeneralCapacity, minGeneralCapacity)
		return canonical, err
	}
	return []*spec{
		number("rootCoord.dmlChannelNum", 16, 1, 65536, "Number of DML channels; also the most shards of a collection.",
			func(c *Config) *int { return &c.Limits.DmlChannelNum }),
		number("rootCoord.maxDatabaseNum", 64, 1, math.MaxInt32, "Most databases, with the default one.",
			func(c *Config) *int { return &c.Limits.MaxDatabaseNum }),
		number("rootCoord.maxPartitionNum", 1024, 1, math.MaxInt32, "Most partitions of a collection.",
			func(c *Config) *int { return &c.Limits.MaxPartitionNum }),
		capacity,
		duration("rootCoord.proxyCallTimeout", "3", time.Second, time.Millisecond, 100*time.Millisecond, maxDuration,
			"Seconds that RootCoord waits for a proxy to expire its cache; one that hangs delays DDL by as much.",
			func(c *Config) *time.Duration { return &c.ProxyCallTimeout }),
		properties("rootCoord.defaultDBProperties", "{}", "Properties of the default database when it is made.",
			func(c *Config) *map[string]string { return &c.Limits.DefaultDBProperties }),
	}
}

func proxySpecs() []*spec {
	return []*spec{
		millis("proxy.timeTickInterval", "200", "Milliseconds between two time ticks on a DML channel.",
			func(c *Config) *time.Duration { return &c.TimeTick.Interval }),
		number("proxy.maxNameLength", 255, 1, 65535, "Longest name of a collection, an alias or a field, in bytes.",
			func(c *Config) *int { return &c.Limits.MaxNameLength }).withoutEffect(),
		number("proxy.maxFieldNum", 64, 1, 65535, "Most fields of a collection.",
			func(c *Config) *int { return &c.Limits.MaxFieldNum }).withoutEffect(),
		number("proxy.maxVectorFieldNum", 4, 1, 10, "Most vector fields of a collection.",
			func(c *Config) *int { return &c.Limits.MaxVectorFieldNum }).withoutEffect(),
		number("proxy.maxShardNum", 16, 1, 65536, "Most shards of a collection.",
			func(c *Config) *int { return &c.Limits.MaxShardNum }),
		boolean("proxy.http.enablePprof", "true", "Serve profiles under /debug/pprof on the metrics port.",
			func(c *Config) *bool { return &c.HTTP.EnablePprof }),
	}
}

func channelSpecs() []*spec {
	channel := func(key, def, doc string, field func(*Config) *string) *spec {
		return name("msgChannel.chanNamePrefix."+key, def, doc, field).withLegacy("common.chanNamePrefix." + key)
	}
	return []*spec{
		channel("cluster", "by-dev", "Name of the cluster: first part of every channel's name, and what clients must send.",
			func(c *Config) *string { return &c.Cluster }),
		channel("rootCoordTimeTick", "rootcoord-timetick", "Channel of RootCoord's time ticks.",
			func(c *Config) *string { return &c.Channels.RootCoordTimeTick }),
		channel("rootCoordStatistics", "rootcoord-statistics", "Channel of RootCoord's statistics.",
			func(c *Config) *string { return &c.Channels.RootCoordStatistics }),
		channel("rootCoordDml", "rootcoord-dml", "First part of the DML channels' names.",
			func(c *Config) *string { return &c.Channels.RootCoordDml }),
		channel("replicateMsg", "replicate-msg", "Channel of replication messages.",
			func(c *Config) *string { return &c.Channels.ReplicateMsg }).withoutEffect(),
		channel("queryTimeTick", "queryTimeTick", "Channel of the query nodes' time ticks.",
			func(c *Config) *string { return &c.Channels.QueryTimeTick }),
		channel("dataCoordTimeTick", "datacoord-timetick-channel", "Channel of the data nodes' time ticks.",
			func(c *Config) *string { return &c.Channels.DataCoordTimeTick }),
		channel("dataCoordSegmentInfo", "segment-info-channel", "Channel of segment news.",
			func(c *Config) *string { return &c.Channels.DataCoordSegmentInfo }),
	}
}

// address is what is registered for others to dial.
func address(key, def, doc string, field func(*Config) *string) *spec {
	return &spec{key: key, def: def, doc: doc, allowed: "host, host:port or [IPv6]:port that others can dial",
		set: func(c *Config, raw string) (string, error) {
			host, port, err := splitAddress(raw)
			if err != nil {
				return "", err
			}
			*field(c) = raw
			return joinAddress(host, port), nil
		}}
}

// ip is a host without a port; empty is allowed.
func ip(key, doc string, field func(*Config) *string) *spec {
	return &spec{key: key, doc: doc, allowed: "a host name or address that others can dial, or nothing",
		set: func(c *Config, raw string) (string, error) {
			host := strings.TrimSuffix(strings.TrimPrefix(raw, "["), "]")
			if host == "" {
				*field(c) = ""
				return "", nil
			}
			if err := checkHost(host); err != nil {
				return "", err
			}
			*field(c) = host
			return host, nil
		}}
}
