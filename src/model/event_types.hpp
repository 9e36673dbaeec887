#pragma once
// Names of event types (FLOW-1, FLOW-2) and of queues (FLOW-3). The one list; schemas/ has a file for each
// type.

#include <string_view>

namespace castiel::model {

namespace event {
inline constexpr std::string_view kDataRaw = "integration.data.raw";
inline constexpr std::string_view kDataMapped = "integration.data.mapped";
inline constexpr std::string_view kImportRead =
    "integration.import.read";                                    // all files of an import are published
inline constexpr std::string_view kFlowControl = "flow.control";  // a source pauses or goes on (FLOWCTL-3)
inline constexpr std::string_view kEmailReceived = "integration.email.received";
inline constexpr std::string_view kEmailProcessed = "integration.email.processed";
inline constexpr std::string_view kMessageReceived = "integration.message.received";
inline constexpr std::string_view kMessageProcessed = "integration.message.processed";
inline constexpr std::string_view kDocumentDetected = "integration.document.detected";
inline constexpr std::string_view kDocumentProcessed = "integration.document.processed";
inline constexpr std::string_view kMeetingCompleted = "integration.meeting.completed";
inline constexpr std::string_view kMeetingProcessed = "integration.meeting.processed";
inline constexpr std::string_view kEventCreated = "integration.event.created";
inline constexpr std::string_view kEventProcessed = "integration.event.processed";
inline constexpr std::string_view kEntityLinked = "entity.linked";
inline constexpr std::string_view kShardCreated = "shard.created";
inline constexpr std::string_view kShardUpdated = "shard.updated";
inline constexpr std::string_view kShardDeleted = "shard.deleted";
inline constexpr std::string_view kOpportunityUpdated = "opportunity.updated";
inline constexpr std::string_view kRiskEvaluated = "risk.evaluated";
inline constexpr std::string_view kForecastUpdated = "forecast.updated";
inline constexpr std::string_view kRecommendationCreated = "recommendation.created";
}  // namespace event

namespace queue {
inline constexpr std::string_view kDataRaw = "integration_data_raw";
inline constexpr std::string_view kDocuments = "integration_documents";
inline constexpr std::string_view kCommunications = "integration_communications";
inline constexpr std::string_view kMeetings = "integration_meetings";
inline constexpr std::string_view kEvents = "integration_events";
inline constexpr std::string_view kEntityLinking = "entity_linking";
inline constexpr std::string_view kSearchIndex = "search_index";
inline constexpr std::string_view kRelations = "relation_resolution";
inline constexpr std::string_view kAnalyticsRisk = "analytics_risk";
inline constexpr std::string_view kQuarantine = "integration_data_quarantine";
}  // namespace queue

}  // namespace castiel::model
