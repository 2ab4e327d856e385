"""Where it is computed: found, shown, insisted on."""
