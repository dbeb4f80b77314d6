"""Configurations from the requirement documents: their names and values, and the resulting settings.

Each consists of a title; the options as a program would pass them; the resulting settings (names and values of this
product, all with source `options`); and the names that are accepted although they are not options here, which are in
`settings` with a note.
"""

SERVICE_BASIC = {
    "options": {
        "enableEnhancedPool": True,
        "poolConfig": {"minConnections": 2, "maxConnections": 10, "enableAutoScaling": True},
        "monitoringConfig": {"enabled": True,
                             "alertThresholds": {"connectionUtilization": 0.8, "acquisitionWaitTime": 1000}},
    },
    "settings": {"min_size": "2", "max_size": "10", "scaling": "on", "alerts": "on", "alert_utilization": "0.8",
                 "alert_wait": "1s"},
    "words": ["enableEnhancedPool"],
}

SERVICE_ADVANCED = {
    "options": {
        "enableEnhancedPool": True,
        "poolConfig": {"minConnections": 3, "maxConnections": 20, "connectionIncrement": 2, "enableAutoScaling": True,
                       "scaleUpThreshold": 0.8, "scaleDownThreshold": 0.3, "connectionTimeoutMs": 30000,
                       "idleTimeoutMs": 600000, "maxLifetimeMs": 3600000, "optimizeForCloudflareWorkers": True},
        "monitoringConfig": {"enabled": True, "metricsIntervalMs": 30000,
                             "alertThresholds": {"connectionUtilization": 0.9, "acquisitionWaitTime": 5000,
                                                 "errorRate": 0.05},
                             "notifications": {"enableWebhook": True, "webhookUrl": "https://hooks.example/T0/secret"}},
        "lifecycleConfig": {"validationIntervalMs": 30000, "validationQuery": "SELECT 1", "maxValidationFailures": 3,
                            "enableAutoRecovery": True, "recoveryAttempts": 3, "idleConnectionTimeoutMs": 600000},
        "healthCheckConfig": {"enabled": True, "intervalMs": 60000,
                              "thresholds": {"maxResponseTime": 5000, "maxErrorRate": 0.05, "minHealthyConnections": 2},
                              "autoRecovery": {"enabled": True, "strategies": ["restart_connections", "scale_pool"]},
                              "emergencyMode": {"enabled": True, "threshold": 20, "maxConnections": 5}},
        "adaptiveSizingConfig": {"enabled": True, "evaluationIntervalMs": 30000,
                                 "thresholds": {"scaleUp": {"utilization": 0.8, "waitTime": 1000,
                                                            "consecutivePeriods": 2},
                                                "scaleDown": {"utilization": 0.3, "consecutivePeriods": 3}},
                                 "prediction": {"enabled": True, "model": "linear"},
                                 "optimization": {"enableBurstMode": True, "enablePredictiveScaling": True}},
    },
    "settings": {"preset": "serverless", "min_size": "3", "max_size": "20", "grow_step": "2", "scaling": "on",
                 "sizing": "threshold", "scale_up_utilization": "0.8", "scale_down_utilization": "0.3",
                 "connect_timeout": "30s", "idle_timeout": "10min", "max_lifetime": "1h", "alerts": "on",
                 "alert_utilization": "0.9", "alert_wait": "5s", "alert_error_rate": "0.05",
                 "validation_interval": "30s", "validation_query": "SELECT 1", "max_validation_failures": "3",
                 "recovery_max_attempts": "3", "health_interval": "1min", "health_max_response": "5s",
                 "health_max_error_rate": "0.05", "health_min_healthy": "2",
                 "recovery": "restart_connections,scale_pool", "emergency": "on", "emergency_below": "20",
                 "emergency_max_size": "5", "scaling_interval": "30s", "scale_up_wait": "1s", "scale_up_periods": "2",
                 "scale_down_periods": "3", "prediction": "linear", "burst": "on",
                 "notify_webhook_url": "https://hooks.example"},
    "words": ["enableEnhancedPool", "metricsIntervalMs"],
}

SERVICE_POOL = {
    "options": {"poolConfig": {
        "minConnections": 2, "maxConnections": 10, "connectionIncrement": 2, "connectionTimeoutMs": 30000,
        "idleTimeoutMs": 600000, "maxLifetimeMs": 3600000, "healthCheckIntervalMs": 60000, "enableAutoScaling": True,
        "scaleUpThreshold": 0.8, "scaleDownThreshold": 0.3, "scaleUpCooldown": 60000, "scaleDownCooldown": 300000,
        "acquireTimeoutMs": 10000, "retryAttempts": 3, "retryDelayMs": 1000, "optimizeForCloudflareWorkers": True,
        "environment": "production"}},
    "settings": {"preset": "production", "min_size": "2", "max_size": "10", "grow_step": "2", "connect_timeout": "30s",
                 "idle_timeout": "10min", "max_lifetime": "1h", "health_interval": "1min", "scaling": "on",
                 "sizing": "threshold", "scale_up_utilization": "0.8", "scale_down_utilization": "0.3",
                 "scale_up_cooldown": "1min", "scale_down_cooldown": "5min", "acquire_timeout": "10s",
                 "retry_base": "1s", "retry_attempts": "3"},
    "words": ["optimizeForCloudflareWorkers"],
}

SERVICE_WATCH = {
    "options": {
        "monitoringConfig": {"enabled": True, "metricsIntervalMs": 30000,
                             "alertThresholds": {"connectionUtilization": 0.9, "acquisitionWaitTime": 5000,
                                                 "errorRate": 0.05, "healthFailureRate": 0.2},
                             "notifications": {"enableConsoleLogging": True, "enableWebhook": False,
                                               "webhookTimeoutMs": 5000}},
        "healthCheckConfig": {"enabled": True, "intervalMs": 30000, "timeoutMs": 10000,
                              "thresholds": {"maxResponseTime": 5000, "maxErrorRate": 0.05, "minHealthyConnections": 2,
                                             "maxPoolUtilization": 0.9},
                              "autoRecovery": {"enabled": True, "maxRecoveryAttempts": 3,
                                               "strategies": ["restart_connections", "scale_pool", "reset_metrics"]},
                              "emergencyMode": {"enabled": True, "threshold": 20, "maxConnections": 3}},
    },
    "settings": {"alerts": "on", "alert_utilization": "0.9", "alert_wait": "5s", "alert_error_rate": "0.05",
                 "alert_health_failure_rate": "0.2", "log": "alerts", "health_interval": "30s",
                 "validation_timeout": "10s", "health_max_response": "5s", "health_max_error_rate": "0.05",
                 "health_min_healthy": "2", "health_max_utilization": "0.9", "recovery_max_attempts": "3",
                 "recovery": "restart_connections,scale_pool,reset_metrics", "emergency": "on", "emergency_below": "20",
                 "emergency_max_size": "3", "notify_webhook_url": "", "notify_webhook_timeout": "5s"},
    "words": ["metricsIntervalMs"],
}

SERVICE_LEGACY = {
    "options": {"poolSize": 5, "maxConnections": 10, "connectionTimeoutMs": 30000, "enableHealthCheck": True,
                "healthCheckIntervalMs": 60000, "slowQueryThresholdMs": 1000},
    "settings": {"min_size": "5", "max_size": "10", "connect_timeout": "30s", "health_interval": "1min",
                 "alert_wait": "1s"},
    "words": [],
}

SERVICE_DEBUG = {
    "options": {"poolConfig": {"enableMetrics": True}, "monitoringConfig": {"enableConsoleLogging": True}},
    "settings": {"log": "alerts"},
    "words": ["enableMetrics"],
}

SUMMARY_PRODUCTION = {
    "options": {"max": 20, "min": 5, "idleTimeoutMillis": 60000, "connectionTimeoutMillis": 10000,
                "statementTimeout": 30000, "query_timeout": 30000, "keepAlive": True,
                "keepAliveInitialDelayMillis": 10000},
    "settings": {"max_size": "20", "min_size": "5", "idle_timeout": "1min", "connect_timeout": "10s",
                 "statement_timeout": "30s", "query_timeout": "30s", "keepalive": "on", "keepalive_idle": "10s"},
    "words": [],
}

SUMMARY_DEVELOPMENT = {
    "options": {"max": 10, "min": 2, "idleTimeoutMillis": 30000, "connectionTimeoutMillis": 10000,
                "statementTimeout": 60000, "query_timeout": 60000, "keepAlive": True,
                "keepAliveInitialDelayMillis": 5000},
    "settings": {"max_size": "10", "min_size": "2", "idle_timeout": "30s", "connect_timeout": "10s",
                 "statement_timeout": "1min", "query_timeout": "1min", "keepalive": "on", "keepalive_idle": "5s"},
    "words": [],
}

FEATURE_DEFAULTS = {
    "options": {"maxConnections": 10, "minConnections": 2, "acquireTimeout": 10000, "idleTimeout": 30000,
                "reapInterval": 10000, "maxConnectionAge": 3600000, "enableQueryCache": True, "maxCacheSize": 1000,
                "enableStatementPooling": True, "enableHealthChecks": True, "enableLogging": False},
    "settings": {"max_size": "10", "min_size": "2", "acquire_timeout": "10s", "idle_timeout": "30s",
                 "max_lifetime": "1h", "log": "off", "query_cache": "on", "query_cache_entries": "1000"},
    "words": ["reapInterval"],
}

FEATURE_ADVANCED = {
    "options": {"usePool": True, "poolConfig": {"maxConnections": 20, "minConnections": 5, "acquireTimeout": 15000,
                                                "idleTimeout": 60000, "enableQueryCache": True, "maxCacheSize": 2000,
                                                "enableLogging": True}},
    "settings": {"max_size": "20", "min_size": "5", "acquire_timeout": "15s", "idle_timeout": "1min", "log": "events",
                 "query_cache": "on", "query_cache_entries": "2000"},
    "words": [],
}

FEATURE_WEB = {
    "options": {"maxConnections": 10, "minConnections": 2, "acquireTimeout": 5000},
    "settings": {"max_size": "10", "min_size": "2", "acquire_timeout": "5s"},
    "words": [],
}

FEATURE_THROUGHPUT = {
    "options": {"maxConnections": 25, "minConnections": 5, "acquireTimeout": 2000, "enableQueryCache": True,
                "maxCacheSize": 5000},
    "settings": {"max_size": "25", "min_size": "5", "acquire_timeout": "2s", "query_cache": "on",
                 "query_cache_entries": "5000"},
    "words": [],
}

FEATURE_BATCH = {
    "options": {"maxConnections": 5, "minConnections": 1, "enableQueryCache": False, "acquireTimeout": 30000},
    "settings": {"max_size": "5", "min_size": "1", "acquire_timeout": "30s", "query_cache": "off"},
    "words": [],
}

FEATURE_DEBUG = {
    "options": {"enableLogging": True, "enableHealthChecks": True, "reapInterval": 5000},
    "settings": {"log": "events"},
    "words": ["reapInterval"],
}

MANAGER_SERVERLESS = {
    "options": {"maxConnections": 2, "acquireTimeout": 5000, "leaseTimeout": 30000},
    "settings": {"max_size": "2", "acquire_timeout": "5s", "lease_timeout": "30s"},
    "words": [],
}

MANAGER_LOCAL = {
    "options": {"maxConnections": 5, "acquireTimeout": 10000, "leaseTimeout": 30000},
    "settings": {"max_size": "5", "acquire_timeout": "10s", "lease_timeout": "30s"},
    "words": [],
}

MANAGER_CUSTOM = {
    "options": {"maxConnections": 10, "leaseTimeout": 60000, "healthCheckInterval": 30000},
    "settings": {"max_size": "10", "lease_timeout": "1min", "health_interval": "30s"},
    "words": [],
}

MANAGER_OPTIONS = {
    "options": {"maxConnections": 5, "minConnections": 1, "acquireTimeout": 10000, "leaseTimeout": 30000,
                "shutdownTimeout": 15000, "healthCheckInterval": 60000},
    "settings": {"max_size": "5", "min_size": "1", "acquire_timeout": "10s", "lease_timeout": "30s",
                 "shutdown_timeout": "15s", "health_interval": "1min"},
    "words": [],
}


def configuration(most, least):
    """The configurations of the last document differ only in their sizes."""
    return {
        "options": {"max": most, "min": least, "idleTimeoutMillis": 30000, "connectionTimeoutMillis": 2000,
                    "acquireTimeoutMillis": 10000, "maxUses": 7500, "maxLifetime": 1800000, "statementTimeout": 30000,
                    "queryTimeout": 30000},
        "settings": {"max_size": str(most), "min_size": str(least), "idle_timeout": "30s", "connect_timeout": "2s",
                     "acquire_timeout": "10s", "max_uses": "7500", "max_lifetime": "30min", "statement_timeout": "30s",
                     "query_timeout": "30s"},
        "words": [],
    }


ALL = {
    "service, basic": SERVICE_BASIC, "service, advanced": SERVICE_ADVANCED, "service, pool": SERVICE_POOL,
    "service, monitoring and health": SERVICE_WATCH, "service, legacy": SERVICE_LEGACY, "service, debug": SERVICE_DEBUG,
    "summary, production": SUMMARY_PRODUCTION, "summary, development": SUMMARY_DEVELOPMENT,
    "feature, defaults": FEATURE_DEFAULTS, "feature, advanced": FEATURE_ADVANCED, "feature, web": FEATURE_WEB,
    "feature, throughput": FEATURE_THROUGHPUT, "feature, batch": FEATURE_BATCH, "feature, debug": FEATURE_DEBUG,
    "manager, serverless": MANAGER_SERVERLESS, "manager, local": MANAGER_LOCAL, "manager, custom": MANAGER_CUSTOM,
    "manager, options": MANAGER_OPTIONS, "configuration, default": configuration(20, 5),
    "configuration, production": configuration(50, 10), "configuration, development": configuration(10, 2),
}
