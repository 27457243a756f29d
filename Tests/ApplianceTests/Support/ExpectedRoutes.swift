import Domain
import HTTPTypes

@testable import Appliance

/// Who may call what, as the contract has it: written here a second time, so that a route which is
/// new, gone or open to others fails a test until somebody has decided about it.
enum ExpectedRoutes {
    static let all: [String: Route.Access] = {
        var all: [String: Route.Access] = [:]
        for (access, routes) in byAccess { for route in routes { all[route] = access } }
        for method in Appliance.gateMethods { all["\(method) /api/v1/gate"] = .open }
        return all
    }()

    static func name(_ route: Route) -> String { "\(route.method) \(route.path)" }

    private static let byAccess: [(Route.Access, [String])] = [
        (
            .open,
            [
                "GET /.well-known/jwks.json",
                "POST /api/v1/auth/forgot-password",
                "POST /api/v1/auth/login",
                "POST /api/v1/auth/logout",
                "POST /api/v1/auth/refresh",
                "POST /api/v1/auth/register",
                "POST /api/v1/auth/resend-verification",
                "POST /api/v1/auth/reset-password",
                "POST /api/v1/auth/verify-email",
                "GET /api/v1/plans",
                "POST /api/v1/setup",
                "GET /healthz",
                "GET /openapi.json",
                "GET /docs",
                "GET /redoc",
                "GET /problems/{code}",
                "GET /readyz",
                "GET /",
                "GET /account",
                "GET /admin",
                "GET /admin/{section}",
                "GET /admin/{section}/{id}",
                "GET /assets/{file}",
                "GET /forgot-password",
                "GET /keys",
                "GET /plans",
                "GET /register",
                "GET /reset-password",
                "GET /sessions",
                "GET /setup",
                "GET /sign-in",
                "GET /usage",
                "GET /verify-email",
            ]
        ),
        (
            .user,
            [
                "GET /api/v1/api-keys",
                "POST /api/v1/api-keys",
                "DELETE /api/v1/api-keys/{id}",
                "GET /api/v1/api-keys/{id}",
                "PATCH /api/v1/api-keys/{id}",
                "POST /api/v1/api-keys/{id}/rotate",
                "DELETE /api/v1/me",
                "GET /api/v1/me",
                "PATCH /api/v1/me",
                "POST /api/v1/me/password",
                "DELETE /api/v1/me/sessions",
                "GET /api/v1/me/sessions",
                "DELETE /api/v1/me/sessions/{id}",
                "POST /api/v1/me/totp",
                "POST /api/v1/me/totp/confirm",
                "DELETE /api/v1/me/totp",
                "POST /api/v1/subscribe",
                "DELETE /api/v1/subscription",
                "GET /api/v1/subscription",
            ]
        ),
        (
            .scope(.itemsRead),
            [
                "GET /api/v1/items",
                "GET /api/v1/items/{id}",
            ]
        ),
        (
            .scope(.itemsWrite),
            [
                "POST /api/v1/items",
                "DELETE /api/v1/items/{id}",
                "PATCH /api/v1/items/{id}",
            ]
        ),
        (
            .scope(.leases),
            [
                "POST /api/v1/leases",
                "DELETE /api/v1/leases/{id}",
                "PUT /api/v1/leases/{id}",
            ]
        ),
        (
            .scope(.reservations),
            [
                "POST /api/v1/reservations",
                "DELETE /api/v1/reservations/{id}",
                "POST /api/v1/reservations/{id}/commit",
            ]
        ),
        (
            .scope(.tokensIntrospect),
            [
                "POST /api/v1/auth/introspect",
                "POST /api/v1/auth/revoke",
            ]
        ),
        (
            .scope(.usageRead),
            [
                "GET /api/v1/usage",
                "GET /api/v1/usage/history",
            ]
        ),
        (
            .scope(.usageWrite),
            [
                "POST /api/v1/usage/events"
            ]
        ),
        (
            .adminRead,
            [
                "GET /api/v1/admin/api-keys",
                "GET /api/v1/admin/audit-logs",
                "GET /api/v1/admin/audit-logs/verify",
                "GET /api/v1/admin/backups",
                "GET /api/v1/admin/backups/{name}",
                "GET /api/v1/admin/jobs",
                "GET /api/v1/admin/jobs/schedules",
                "GET /api/v1/admin/plans",
                "GET /api/v1/admin/stats",
                "GET /api/v1/admin/subscriptions",
                "GET /api/v1/admin/usage",
                "GET /api/v1/admin/users",
                "GET /api/v1/admin/users/{id}",
                "GET /api/v1/admin/users/{id}/sessions",
                "GET /api/v1/admin/users/{id}/usage",
            ]
        ),
        (
            .adminWrite,
            [
                "DELETE /api/v1/admin/api-keys/{id}",
                "POST /api/v1/admin/backups",
                "POST /api/v1/admin/jobs/{id}/retry",
                "POST /api/v1/admin/plans",
                "DELETE /api/v1/admin/plans/{slug}",
                "PATCH /api/v1/admin/plans/{slug}",
                "POST /api/v1/admin/subscriptions",
                "PATCH /api/v1/admin/subscriptions/{id}",
                "POST /api/v1/admin/users",
                "PATCH /api/v1/admin/users/{id}",
                "POST /api/v1/admin/users/{id}/reset-password",
                "POST /api/v1/admin/users/{id}/revoke-sessions",
            ]
        ),
    ]
}
