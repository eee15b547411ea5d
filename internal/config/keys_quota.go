package config

import (
	"math"
	"strconv"
	"time"
)

// quotaSpecs are about what is allowed, and what the proxies are told to refuse.
func quotaSpecs() []*spec {
	const writing, disk = "quotaAndLimits.limitWriting.", "quotaAndLimits.limitWriting.diskProtection."
	return append([]*spec{
		boolean("quotaAndLimits.enabled", "true", "Tell the proxies what they are to refuse.",
			func(c *Config) *bool { return &c.Quota.Enabled }),
		duration("quotaAndLimits.quotaCenterCollectInterval", "3", time.Second, time.Millisecond, 100*time.Millisecond, maxDuration,
			"Seconds between two messages about it to a proxy.",
			func(c *Config) *time.Duration { return &c.Quota.Interval }),
		number("quotaAndLimits.limits.maxCollectionNum", 65536, 1, math.MaxInt32, "Most collections of the cluster.",
			func(c *Config) *int { return &c.Limits.MaxCollectionNum }),
		number("quotaAndLimits.limits.maxCollectionNumPerDB", 65536, 1, math.MaxInt32,
			"Most collections of a database, unless its own property says otherwise.",
			func(c *Config) *int { return &c.Limits.MaxCollectionNumPerDB }),
		boolean(writing+"forceDeny", "false", "Refuse all writing.", func(c *Config) *bool { return &c.Quota.DenyWriting }),
		boolean(writing+"ttProtection.enabled", "false", "Report the cluster as unhealthy, and slow down writing, when time ticks lag.",
			func(c *Config) *bool { return &c.Quota.TimeTickProtection }),
		seconds(writing+"ttProtection.maxTimeTickDelay", "300", 0, "Seconds from which a time tick lags; 0 is never.",
			func(c *Config) *time.Duration { return &c.Quota.MaxTimeTickDelay }),
		boolean(disk+"enabled", "true", "Refuse writing to what has outgrown its quota of disk.",
			func(c *Config) *bool { return &c.Quota.DiskProtection }),
		megabytes(disk+"diskQuota", "Most megabytes of data of the cluster; 0 or less is no limit.",
			func(c *Config) *float64 { return &c.Quota.Disk }),
		megabytes(disk+"diskQuotaPerDB", "The same of a database, unless its own property says otherwise.",
			func(c *Config) *float64 { return &c.Quota.DiskPerDB }),
		megabytes(disk+"diskQuotaPerCollection", "The same of a collection, unless its own property says otherwise.",
			func(c *Config) *float64 { return &c.Quota.DiskPerCollection }),
		megabytes(disk+"diskQuotaPerPartition", "The same of a partition.",
			func(c *Config) *float64 { return &c.Quota.DiskPerPartition }),
		boolean("quotaAndLimits.limitReading.forceDeny", "false", "Refuse all searches and queries.",
			func(c *Config) *bool { return &c.Quota.DenyReading }),
	}, slowdownSpecs()...)
}

// slowdownSpecs are about writing that is slowed down by the load of nodes.
func slowdownSpecs() []*spec {
	const memory, growing = "quotaAndLimits.limitWriting.memProtection.", "quotaAndLimits.limitWriting.growingSegmentsSizeProtection."
	all := []*spec{
		boolean(memory+"enabled", "true", "Slow down writing to what nodes hold that run out of memory.",
			func(c *Config) *bool { return &c.Quota.MemoryProtection }),
		fraction(memory+"queryNodeMemoryLowWaterLevel", "0.85", "Share of a query node's memory from which writing is slowed down.",
			func(c *Config) *float64 { return &c.Quota.QueryMemory.Low }),
		fraction(memory+"queryNodeMemoryHighWaterLevel", "0.95", "Share at which it stops.",
			func(c *Config) *float64 { return &c.Quota.QueryMemory.High }),
		fraction(memory+"dataNodeMemoryLowWaterLevel", "0.85", "The same of a data node.",
			func(c *Config) *float64 { return &c.Quota.DataMemory.Low }),
		fraction(memory+"dataNodeMemoryHighWaterLevel", "0.95", "The same of a data node.",
			func(c *Config) *float64 { return &c.Quota.DataMemory.High }),
		boolean(growing+"enabled", "false", "Slow down writing when growing segments fill a query node's memory.",
			func(c *Config) *bool { return &c.Quota.GrowingProtection }),
		fraction(growing+"lowWaterLevel", "0.2", "Share of the memory from which writing is slowed down.",
			func(c *Config) *float64 { return &c.Quota.Growing.Low }),
		fraction(growing+"highWaterLevel", "0.4", "Share at which it is slowed down most.",
			func(c *Config) *float64 { return &c.Quota.Growing.High }),
		fraction(growing+"minRateRatio", "0.5", "The least that is left of the rates then.",
			func(c *Config) *float64 { return &c.Quota.GrowingFloor }),
		boolean("quotaAndLimits.dml.enabled", "false", "Limit what may be written to a collection in a second.",
			func(c *Config) *bool { return &c.Quota.LimitDML }),
	}
	for _, kind := range []struct {
		name  string
		field func(*Config) *RateLimit
	}{
		{"insertRate", func(c *Config) *RateLimit { return &c.Quota.InsertRate }},
		{"upsertRate", func(c *Config) *RateLimit { return &c.Quota.UpsertRate }},
		{"deleteRate", func(c *Config) *RateLimit { return &c.Quota.DeleteRate }},
	} {
		least := megabytes("quotaAndLimits.dml."+kind.name+".collection.min",
			"What is left of it, megabytes a second, however much writing is slowed down.",
			func(c *Config) *float64 { return &kind.field(c).Min })
		least.def = "0"
		all = append(all, least, megabytes("quotaAndLimits.dml."+kind.name+".collection.max",
			"Most megabytes a second of a collection, unless its own property says otherwise; below 0 is no limit.",
			func(c *Config) *float64 { return &kind.field(c).Max }))
	}
	return all
}

// megabytes is a size; the field gets bytes.
func megabytes(key, doc string, field func(*Config) *float64) *spec {
	return &spec{key: key, def: "-1", doc: doc, allowed: "a number of megabytes",
		set: func(c *Config, raw string) (string, error) {
			value, err := parseDecimal(raw)
			if err != nil {
				return "", err
			}
			*field(c) = value * (1 << 20)
			return strconv.FormatFloat(value, 'f', -1, 64), nil
		}}
}
