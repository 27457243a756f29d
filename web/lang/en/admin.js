/** The words of pages/admin/. */
export default {
  "admin.overview.title": "Administration",
};
