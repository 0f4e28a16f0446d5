"""Who understands calls: rules that come with the gateway, or any model that speaks the OpenAI protocol."""
