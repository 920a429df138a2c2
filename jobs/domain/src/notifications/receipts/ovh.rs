//! OVHcloud's delivery receipts, which are asked for: `deliveryReceipt` and `ptt` of `/sms/{service}/outgoing/{id}`.
//! It asks nothing itself.

use super::DeliveryStatus;

/// Reads the receipt of a text message, as SMS gateways number them: 1 delivered, 2 not delivered, 4 waiting at the
/// operator, 8 handed to the operator, 16 refused by the operator; 0 and others say nothing yet.
///
/// The provider's `ptt` tells the reason by number; what it means is the provider's to change, so that it becomes a
/// code and decides nothing.
pub fn status(delivery_receipt: i64, ptt: i64) -> DeliveryStatus {
    let failed = |permanent| DeliveryStatus::Failed { permanent, code: format!("ovh_ptt_{ptt}") };
    match delivery_receipt {
        1 => DeliveryStatus::Delivered,
        2 => failed(false),
        16 => failed(true),
        _ => DeliveryStatus::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_final_counts() {
        assert_eq!(status(1, 1), DeliveryStatus::Delivered);
        let code = "ovh_ptt_1003".to_owned();
        assert_eq!(status(2, 1003), DeliveryStatus::Failed { permanent: false, code: code.clone() });
        assert_eq!(status(16, 1003), DeliveryStatus::Failed { permanent: true, code });
        for receipt in [0, 4, 8, -1, 99] {
            assert_eq!(status(receipt, 0), DeliveryStatus::Pending);
        }
    }
}
