"""Records as other systems send them: an order of Segment, and a purchase of GA4's export to BigQuery."""

from typing import Any

ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "ajs-next-1f3a",
    "userId": 889,
    "anonymousId": "507f191e-810c",
    "originalTimestamp": "2023-05-01T10:00:01.000Z",
    "receivedAt": "2023-05-01T10:00:03.000Z",
    "sentAt": "2023-05-01T10:00:02.000Z",
    "timestamp": "2023-05-01T10:00:00.905Z",
    "context": {
        "campaign": {"medium": "email", "name": "Spring"},
        "ip": "8.8.8.8",
        "location": {"country": "France"},
        "sessionId": 1682935200,
        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    },
    "properties": {
        "order_id": "50314b8e",
        "total": 27.5,
        "subtotal": 22.5,
        "revenue": 25.0,
        "shipping": 3,
        "tax": 2,
        "discount": 2.5,
        "coupon": "spring",
        "currency": "usd",
        "products": [
            {"product_id": "507f", "sku": "45790-32", "price": 19, "quantity": 1, "category": "Games"},
            {"sku": "46493-32", "price": "3.00", "quantity": 2, "brand": "Mattel", "category": "Games"},
        ],
    },
}
PURCHASE: dict[str, Any] = {
    "event_date": "20201122",
    "event_timestamp": 1606003200123456,
    "event_name": "purchase",
    "event_params": [
        {"key": "ga_session_id", "value": {"string_value": None, "int_value": 3599645542}},
        {"key": "engagement_time_msec", "value": {"int_value": 1500}},
        {"key": "currency", "value": {"string_value": "USD", "int_value": None}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/done"}},
    ],
    "event_bundle_sequence_id": 7658063987,
    "user_id": None,
    "user_pseudo_id": "1146540.1921992520",
    "device": {"category": "desktop", "operating_system": "Web"},
    "geo": {"country": "United States", "city": "(not set)"},
    "traffic_source": {"medium": "cpc", "name": "(referral)", "source": "google"},
    "session_traffic_source_last_click": {"cross_channel_campaign": {"default_channel_group": "Organic Search"}},
    "ecommerce": {"transaction_id": "T_12345", "purchase_revenue": 41.6, "total_item_quantity": 4},
    "items": [
        {
            "item_id": "SKU_123",
            "item_brand": "(not set)",
            "item_category": "Widgets",
            "price": 8.0,
            "quantity": 3,
            "item_params": [{"key": "discount", "value": {"double_value": 2.0}}],
        },
        {"item_id": "SKU_456", "item_brand": "Acme", "item_category": "Widgets", "price": 17.6, "quantity": 1},
    ],
}


def order(**properties: Any) -> dict[str, Any]:
    return {**ORDER, "properties": {**ORDER["properties"], **properties}}
