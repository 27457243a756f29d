import Domain
import HTTPTypes

extension Appliance {
    /// What admins may do, and support may look at.
    var adminRoutes: [Route] {
        adminUserRoutes + adminPlanRoutes + adminSubscriptionRoutes + adminKeyRoutes
            + adminUsageRoutes + dashboardRoutes
    }
}
