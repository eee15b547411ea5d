package config

func kubernetesSpecs() []*spec {
	return []*spec{
		boolean("kubernetes.labelActive.enabled", "false",
			"Label this process' pod with the state of its roles, so that a Service can select the active one.",
			func(c *Config) *bool { return &c.Kubernetes.LabelActive }),
		text("kubernetes.labelActive.selector", "",
			"Label selector of the pods that may be active in its place, from which a new active one takes the label; nothing: from none.",
			func(c *Config) *string { return &c.Kubernetes.Selector }),
		text("kubernetes.podName", "", "Name of this process' pod.", func(c *Config) *string { return &c.Kubernetes.PodName }).
			withAlso("pod.name"),
		text("kubernetes.podNamespace", "", "Namespace of this process' pod.", func(c *Config) *string { return &c.Kubernetes.PodNamespace }).
			withAlso("pod.namespace"),
	}
}
