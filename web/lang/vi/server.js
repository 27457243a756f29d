/** What the server says, by the codes that it says it with. Other codes come in its own words. */
export default {
  "problem.network": "Không kết nối được máy chủ. Hãy kiểm tra mạng rồi thử lại.",
  "problem.internal": "Máy chủ gặp lỗi. Hãy thử lại sau giây lát.",
  "problem.unexpected": "Trang này gặp lỗi. Hãy tải lại rồi thử lại.",
  "problem.wait": "Thử quá nhiều lần. Hãy đợi {seconds} giây rồi thử lại.",
  "problem.rate_limited": "Thử quá nhiều lần. Hãy đợi giây lát rồi thử lại.",
  "problem.invalid_credentials": "Địa chỉ email, mật khẩu hoặc mã không đúng.",
  "problem.invalid_token": "Liên kết này đã được dùng hoặc đã hết hạn.",
  "problem.invalid_refresh_token": "Phiên của bạn đã kết thúc. Hãy đăng nhập lại.",
  "problem.refresh_token_reused":
    "Phiên của bạn đã bị kết thúc vì lý do an toàn. Hãy đăng nhập lại.",
  "problem.unauthorized": "Phiên của bạn đã kết thúc. Hãy đăng nhập lại.",
  "problem.email_taken": "Địa chỉ này đã có tài khoản.",
  "problem.overloaded": "Máy chủ đang bận. Hãy thử lại sau giây lát.",
  "problem.unavailable": "Máy chủ tạm thời không phục vụ. Hãy thử lại sau giây lát.",
  "problem.last_admin": "Phải luôn còn ít nhất một quản trị viên hoạt động.",
  "fault.required": "Mục này là bắt buộc.",
  "fault.too_short": "Ít nhất {n} ký tự.",
  "fault.weak_password":
    "Mật khẩu này quá dễ đoán. Hãy dùng mật khẩu dài hơn hoặc ít phổ biến hơn.",
};
