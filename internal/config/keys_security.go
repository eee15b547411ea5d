package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
)

// securitySpecs are about the cluster's own users and what they may do.
func securitySpecs() []*spec {
	all := []*spec{
		boolean("common.security.authorizationEnabled", "false", "Ask the cluster's users for their password.",
			func(c *Config) *bool { return &c.Security.AuthorizationEnabled }),
		text("common.security.defaultRootPassword", "Milvus", "Password of the user root when it is made.",
			func(c *Config) *string { return &c.Security.DefaultRootPassword }).asSecret(),
		boolean("common.security.enablePublicPrivilege", "true", "Let every user describe collections, list aliases and look at indexes.",
			func(c *Config) *bool { return &c.Security.PublicGrants }),
		number("proxy.maxUserNum", 100, 1, math.MaxInt32, "Most users, with root.", func(c *Config) *int { return &c.Security.MaxUsers }),
		number("proxy.maxRoleNum", 10, 1, math.MaxInt32, "Most roles, with admin and public.",
			func(c *Config) *int { return &c.Security.MaxRoles }),
		boolean("builtinRoles.enable", "false", "Make the roles of builtinRoles.roles.",
			func(c *Config) *bool { return &c.Security.DeclareRoles }),
		declaredRoles("builtinRoles.roles", func(c *Config) *map[string]DeclaredRole { return &c.Security.Roles }),
		boolean("common.security.rbac.overrideBuiltInPrivilegeGroups.enabled", "false",
			"Let the following keys say what the privilege groups of a level contain.",
			func(c *Config) *bool { return &c.Security.OverrideGroups }),
	}
	for _, level := range []string{"Cluster", "Database", "Collection"} {
		for _, step := range []string{"ReadOnly", "ReadWrite", "Admin"} {
			all = append(all, groupMembers(level+step,
				fmt.Sprintf("common.security.rbac.%s.%s.privileges", strings.ToLower(level), strings.ToLower(step))))
		}
	}
	return all
}

// groupMembers is the key for the members of a built-in group.
func groupMembers(group, key string) *spec {
	return &spec{
		key: key, list: true, allowed: "names of privileges, separated by commas",
		doc: "Privileges of the group " + group + "; nothing is what Milvus 2.5 gives it.",
		set: func(c *Config, raw string) (string, error) {
			names := strings.FieldsFunc(raw, func(r rune) bool { return r == ',' || r == ' ' })
			if len(names) > 0 {
				if c.Security.Groups == nil {
					c.Security.Groups = map[string][]string{}
				}
				c.Security.Groups[group] = names
			}
			return strings.Join(names, ","), nil
		},
	}
}

// declaredRoles is the key for the roles of the configuration.
func declaredRoles(key string, field func(*Config) *map[string]DeclaredRole) *spec {
	return &spec{
		key: key, def: "{}", mapping: true, tree: true, doc: "Roles that are made at every start, with their privileges.",
		allowed: `a JSON object such as {"reader": {"privileges": [{"object_type": "Collection", "object_name": "*", ` +
			`"db_name": "*", "privilege": "Query"}]}}`,
		set: func(c *Config, raw string) (string, error) {
			roles := map[string]DeclaredRole{}
			decoder := json.NewDecoder(strings.NewReader(raw))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&roles); err != nil {
				return "", errors.New("is not a JSON object of roles")
			}
			names := make([]string, 0, len(roles))
			for name := range roles {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				for i, g := range roles[name].Privileges {
					if g.ObjectType == "" || g.ObjectName == "" || g.Privilege == "" {
						return "", fmt.Errorf("has no object_type, object_name or privilege in grant %d of the role %s", i+1, name)
					}
				}
			}
			if roles == nil {
				roles = map[string]DeclaredRole{}
			}
			*field(c) = roles
			text, err := json.Marshal(roles)
			return string(text), err
		},
	}
}
